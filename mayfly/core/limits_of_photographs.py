"""Bounds of time-lapses that two rooms share, each with its unit and its reason."""

from mayfly.contract.photographs import PHOTOGRAPHS_MAX

#: Objects that are listed to find the photographs of one job: twenty calls to S3. Cameras put a
#: small file beside each photograph, and people three.
LISTED_MAX = 4 * PHOTOGRAPHS_MAX

#: One photograph: a hundred megapixels without compression have 600 MB, as JPEG a tenth of it.
PHOTOGRAPH_BYTES_MAX = 512 * 1024**2

#: What of somebody's file name is shown back.
NAME_CHARACTERS_MAX = 80
