// Hands on each sample of a film's sound, in order, from when it is told to until it is told not to,
// and says so when it knows.

class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this.open = false;
    this.port.onmessage = ({ data }) => {
      this.open = data;
      this.port.postMessage(data);
    };
  }

  process([input]) {
    // No channel: nothing plays.
    if (this.open && input.length > 0) this.port.postMessage(input[0].slice());
    return true;
  }
}

registerProcessor("tap", Tap);
