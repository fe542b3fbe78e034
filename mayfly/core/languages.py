"""Codes of languages: what media files write, and what players read.

Files name languages by ISO 639-2, which has two codes for some; players of HLS and DASH read BCP
47, which wants two letters wherever there are two. It must never let a word through that is no
code: a file's own words are a stranger's.
"""

import re

#: ISO 639-2 (its terminological codes), ISO 639-1, and the name in English.
_KNOWN = """
aar aa Afar; abk ab Abkhazian; afr af Afrikaans; aka ak Akan; amh am Amharic; ara ar Arabic;
arg an Aragonese; asm as Assamese; ava av Avaric; ave ae Avestan; aym ay Aymara;
aze az Azerbaijani; bak ba Bashkir; bam bm Bambara; bel be Belarusian; ben bn Bengali;
bih bh Bihari languages; bis bi Bislama; bod bo Tibetan; bos bs Bosnian; bre br Breton;
bul bg Bulgarian; cat ca Catalan; ces cs Czech; cha ch Chamorro; che ce Chechen;
chu cu Church Slavic; chv cv Chuvash; cor kw Cornish; cos co Corsican; cre cr Cree; cym cy Welsh;
dan da Danish; deu de German; div dv Divehi; dzo dz Dzongkha; ell el Greek; eng en English;
epo eo Esperanto; est et Estonian; eus eu Basque; ewe ee Ewe; fao fo Faroese; fas fa Persian;
fij fj Fijian; fin fi Finnish; fra fr French; fry fy Western Frisian; ful ff Fulah;
gla gd Gaelic; gle ga Irish; glg gl Galician; glv gv Manx; grn gn Guarani; guj gu Gujarati;
hat ht Haitian; hau ha Hausa; heb he Hebrew; her hz Herero; hin hi Hindi; hmo ho Hiri Motu;
hrv hr Croatian; hun hu Hungarian; hye hy Armenian; ibo ig Igbo; ido io Ido; iii ii Sichuan Yi;
iku iu Inuktitut; ile ie Interlingue; ina ia Interlingua; ind id Indonesian; ipk ik Inupiaq;
isl is Icelandic; ita it Italian; jav jv Javanese; jpn ja Japanese; kal kl Kalaallisut;
kan kn Kannada; kas ks Kashmiri; kat ka Georgian; kau kr Kanuri; kaz kk Kazakh;
khm km Central Khmer; kik ki Kikuyu; kin rw Kinyarwanda; kir ky Kirghiz; kom kv Komi;
kon kg Kongo; kor ko Korean; kua kj Kuanyama; kur ku Kurdish; lao lo Lao; lat la Latin;
lav lv Latvian; lim li Limburgan; lin ln Lingala; lit lt Lithuanian; ltz lb Luxembourgish;
lub lu Luba-Katanga; lug lg Ganda; mah mh Marshallese; mal ml Malayalam; mar mr Marathi;
mkd mk Macedonian; mlg mg Malagasy; mlt mt Maltese; mon mn Mongolian; mri mi Maori; msa ms Malay;
mya my Burmese; nau na Nauru; nav nv Navajo; nbl nr Ndebele; nde nd Ndebele; ndo ng Ndonga;
nep ne Nepali; nld nl Dutch; nno nn Norwegian Nynorsk; nob nb Bokmål; nor no Norwegian;
nya ny Chichewa; oci oc Occitan; oji oj Ojibwa; ori or Oriya; orm om Oromo; oss os Ossetian;
pan pa Panjabi; pli pi Pali; pol pl Polish; por pt Portuguese; pus ps Pushto; que qu Quechua;
roh rm Romansh; ron ro Romanian; run rn Rundi; rus ru Russian; sag sg Sango; san sa Sanskrit;
sin si Sinhala; slk sk Slovak; slv sl Slovenian; sme se Northern Sami; smo sm Samoan;
sna sn Shona; snd sd Sindhi; som so Somali; sot st Sotho; spa es Spanish; sqi sq Albanian;
srd sc Sardinian; srp sr Serbian; ssw ss Swati; sun su Sundanese; swa sw Swahili; swe sv Swedish;
tah ty Tahitian; tam ta Tamil; tat tt Tatar; tel te Telugu; tgk tg Tajik; tgl tl Tagalog;
tha th Thai; tir ti Tigrinya; ton to Tonga; tsn tn Tswana; tso ts Tsonga; tuk tk Turkmen;
tur tr Turkish; twi tw Twi; uig ug Uighur; ukr uk Ukrainian; urd ur Urdu; uzb uz Uzbek;
ven ve Venda; vie vi Vietnamese; vol vo Volapük; wln wa Walloon; wol wo Wolof; xho xh Xhosa;
yid yi Yiddish; yor yo Yoruba; zha za Zhuang; zho zh Chinese; zul zu Zulu
"""

#: Codes of ISO 639-2 by which librarians call the same languages.
_BIBLIOGRAPHIC = {
    "tib": "bod", "cze": "ces", "wel": "cym", "ger": "deu", "gre": "ell", "baq": "eus",
    "per": "fas", "fre": "fra", "arm": "hye", "ice": "isl", "geo": "kat", "mac": "mkd",
    "mao": "mri", "may": "msa", "bur": "mya", "dut": "nld", "rum": "ron", "slo": "slk",
    "alb": "sqi", "chi": "zho",
}  # fmt: skip

#: What files write where nobody knows.
_NOBODY_KNOWS = ("und", "mis", "mul", "zxx")

_CODE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9_-]*)?")

_ENTRIES = [entry.split(maxsplit=2) for entry in " ".join(_KNOWN.split()).split("; ")]
_SHORT = {three: two for three, two, _ in _ENTRIES}
_LONG = {two: three for three, two, _ in _ENTRIES}
_NAMES = {three: name for three, _, name in _ENTRIES}


def code(told: str) -> str:
    """The one code of three letters of what a file says; empty when that is none, or of no language
    ("und")."""
    found = _CODE.fullmatch(told)
    if found is None:
        return ""
    word = found[1].lower()
    word = _BIBLIOGRAPHIC.get(word, word) if len(word) == 3 else _LONG.get(word, "")
    return "" if word in _NOBODY_KNOWS else word


def tag(three: str) -> str:
    """BCP 47's of a code: "en" of "eng"."""
    return _SHORT.get(three, three)


def name(three: str) -> str:
    """In English; the code itself where nobody has a name for it here."""
    return _NAMES.get(three, three)
