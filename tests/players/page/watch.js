// What a test asks of a page that plays a ladder. The page plays, looks and listens; what must be true
// of it stands in ../claims.py.
"use strict";

const video = document.getElementById("video");

// ---- What happens, kept from the beginning --------------------------------------------------

const buffers = []; // Each SourceBuffer that a player makes, whichever player it is.
const errors = []; // Whatever a player calls an error, fatal or not.
const events = [];

let giveUp;
const broken = new Promise((_, fail) => { giveUp = fail; });
broken.catch(() => {});

function wrong(what) {
  errors.push(what);
  giveUp(new Error(what));
}

const { addSourceBuffer } = MediaSource.prototype;
MediaSource.prototype.addSourceBuffer = function (mime) {
  const buffer = addSourceBuffer.call(this, mime);
  buffers.push({ mime, buffer });
  return buffer;
};

for (const name of ["play", "playing", "pause", "waiting", "seeking", "seeked", "canplay", "resize",
  "ended", "error"]) {
  video.addEventListener(name, () => {
    events.push({ name, at: video.currentTime });
    if (name === "error") wrong(`video: ${video.error.code} ${video.error.message}`);
  });
}
addEventListener("error", (event) => wrong(`page: ${event.message}`));
addEventListener("unhandledrejection", (event) => wrong(`page: ${event.reason}`));

// ---- The players, as somebody has them who sets nothing else ---------------------------------

const players = {
  "hls.js": (url, ahead) => {
    const hls = new Hls(ahead ? { maxBufferLength: ahead, maxMaxBufferLength: ahead } : {});
    hls.on(Hls.Events.ERROR, (_, { details, fatal, frag }) => {
      // Its word for a fetch that it has given up itself, since it was told to go elsewhere.
      if (details === Hls.ErrorDetails.INTERNAL_ABORTED && !fatal) return;
      wrong(`hls.js: ${details}, fatal: ${fatal}, at ${frag?.type} ${frag?.level} ${frag?.sn}`);
    });
    hls.loadSource(url);
    hls.attachMedia(video);
    return {
      version: Hls.version,
      sizes: () => hls.levels.map((level) => [level.width, level.height]),
      choose: (index) => { hls.nextLevel = index; },
      speak: () => { hls.subtitleDisplay = true; hls.subtitleTrack = 0; },
    };
  },

  "dash.js": (url, ahead) => {
    const dash = dashjs.MediaPlayer().create();
    for (const name of ["ERROR", "PLAYBACK_ERROR"]) {
      dash.on(dashjs.MediaPlayer.events[name], (event) =>
        wrong(`dash.js: ${JSON.stringify(event.error)}`));
    }
    const seconds = ahead || 60; // It has 18 s of its own, and all of a film is to be looked at.
    dash.updateSettings({ streaming: { buffer: {
      bufferTimeDefault: seconds, bufferTimeAtTopQuality: seconds, bufferToKeep: 60,
    } } });
    dash.initialize(video, url, false);
    const found = () => dash.getRepresentationsByType("video");
    return {
      version: dash.getVersion(),
      sizes: () => found().map((size) => [size.width, size.height]),
      choose: (index) => {
        dash.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
        dash.setRepresentationForTypeById("video", found()[index].id);
      },
      speak: () => { dash.enableText(true); dash.setTextTrack(0); },
    };
  },
};

let player = null;

// ---- Waiting ---------------------------------------------------------------------------------

// Those who expect a ladder to fail lose no time over it.
const patience = Number(new URLSearchParams(location.search).get("patience") ?? 1);

function told() {
  return {
    at: video.currentTime, ended: video.ended, size: [video.videoWidth, video.videoHeight],
    errors, events, buffered: buffered(),
  };
}

function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: not in ${patience * seconds} s`)),
      patience * seconds * 1000);
  });
  return Promise.race([promise, late, broken]).finally(() => clearTimeout(timer));
}

const next = (name) => new Promise((done) => video.addEventListener(name, done, { once: true }));

async function until(seconds, what, reached) {
  let over = false;
  const look = async () => {
    while (!over && !reached()) await new Promise((done) => setTimeout(done, 10));
  };
  await within(seconds, what, look()).finally(() => { over = true; });
}

// The moment of the next frame that is shown; of a film that stands, after a seek, that one's.
const shown = () =>
  new Promise((done) => video.requestVideoFrameCallback((_, { mediaTime }) => done(mediaTime)));

// ---- Looking and listening -------------------------------------------------------------------

function buffered() {
  return buffers.map(({ mime, buffer: { buffered: found } }) => ({
    mime,
    ranges: Array.from({ length: found.length }, (_, at) => [found.start(at), found.end(at)]),
  }));
}

const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [16, 9];
const paper = canvas.getContext("2d", { willReadFrequently: true });

// Of the frame that is shown: 0 is black and 255 white.
function brightness() {
  paper.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = paper.getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
  return sum / (data.length / 4) / 3;
}

let tap = null;

// From now on all sound goes through the tap, and from there to where it always goes.
async function listen(rate) {
  if (tap !== null) return;
  const context = new AudioContext({ sampleRate: rate }); // the film's own: nothing is resampled
  await context.audioWorklet.addModule("tap.js");
  tap = new AudioWorkletNode(context, "tap");
  context.createMediaElementSource(video).connect(tap).connect(context.destination);
  await context.resume();
}

// Done when the tap knows; by then it has handed on all that came before.
function tapped(open, hear) {
  const known = new Promise((done) => {
    tap.port.onmessage = ({ data }) => (data === open ? done() : hear(data));
  });
  tap.port.postMessage(open);
  return within(5, "the tap", known);
}

// ---- What a test asks ------------------------------------------------------------------------

const answers = {
  told,

  supported: (mimes) => mimes.map((mime) => MediaSource.isTypeSupported(mime)),

  async open(name, url, ahead) {
    const ready = next("canplay");
    player = players[name](url, ahead);
    await within(10, "something to show", ready);
    return { version: player.version, duration: video.duration, sizes: player.sizes() };
  },

  // All of the film is in the buffers.
  fill: () => until(10, "all of the film", () => buffered().every(
    ({ ranges }) => ranges.length > 0 && ranges.at(-1)[1] > video.duration - 0.5)),

  async play(rate) {
    const begun = next("playing");
    video.playbackRate = rate;
    await within(5, "playing", Promise.all([video.play(), begun, shown()]));
  },

  // The moment of the first frame that is shown after it.
  async seek(at) {
    const [found, frame] = [next("seeked"), shown()];
    video.currentTime = at;
    await within(5, `a seek to ${at}`, found);
    return within(5, `a frame after a seek to ${at}`, frame);
  },

  async choose(width, height) {
    player.choose(player.sizes().findIndex(([w, h]) => w === width && h === height));
    await until(10, `${width}x${height}`,
      () => video.videoWidth === width && video.videoHeight === height);
  },

  // Its subtitles, once all of them are there that the player has by the end of the film.
  async spoken() {
    player.speak();
    const cues = () => [...video.textTracks].flatMap((track) =>
      [...(track.cues ?? [])].map((cue) => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]));
    await until(10, "the last subtitle", () => cues().some(([, end]) => end > video.duration - 0.5));
    return [[video.textTracks[0].language], ...cues()];
  },

  async end(rate) {
    video.playbackRate = rate;
    const left = (video.duration - video.currentTime) / rate;
    if (!video.ended) await within(2 * left + 5, "the end", next("ended"));
  },

  // From a moment on, for so long: the moment and the brightness of each frame that is shown; when
  // the first loud sample comes; and how many samples are none. A film is never quite still, so the
  // first sample that is not 0 is that of the moment that was sought, and the others follow it one
  // by one, whatever the clocks of the machine do.
  async perceive(from, seconds, rate, loud) {
    await listen(rate);
    video.pause();
    await answers.seek(from);
    const frames = [];
    let samples = [], looking = true;
    const hear = (samplesOfBlock) => {
      if (samples.length > 0) return samples.push(...samplesOfBlock);
      const first = samplesOfBlock.findIndex((sample) => sample !== 0);
      return first < 0 ? 0 : samples.push(...samplesOfBlock.subarray(first));
    };
    await tapped(true, hear);
    video.requestVideoFrameCallback(function look(_, { mediaTime }) {
      frames.push([mediaTime, brightness()]);
      if (looking) video.requestVideoFrameCallback(look);
    });
    await answers.play(1);
    await until(10, `${seconds} s of sound`, () => samples.length >= seconds * rate);
    looking = false;
    video.pause();
    await tapped(false, hear);
    samples = samples.slice(0, seconds * rate);
    const beep = samples.findIndex((sample) => Math.abs(sample) > loud);
    return { frames, beep: beep < 0 ? null : beep / rate,
      still: samples.filter((sample) => sample === 0).length };
  },
};

// One answer to each question: what it is, or why there is none.
window.ask = (name, given, answer) => {
  Promise.resolve().then(() => answers[name](...given)).then(
    (said) => answer({ said: said ?? null }), (why) => answer({ why: String(why), told: told() }));
};
