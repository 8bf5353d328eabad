export type FrameFault = 'packet_too_large' | 'malformed_length';

const MAX_LENGTH_BYTES = 4;

/**
 * Follows fixed headers and remaining lengths [MQTT 3.1.1, 2.2], so that a packet which is too large is known by its
 * first bytes, before anything would begin to buffer it. Knows nothing of what is inside.
 */
export class FrameGuard {
  readonly #maxPacketBytes: number;
  #bodyLeft = 0;
  /** Bytes of the fixed header seen; 0 between packets. */
  #headerBytes = 0;
  #length = 0;
  /** In the chunk that was checked last: where the last packet ends that is complete; 0 when none is. */
  completeEnd = 0;

  constructor(maxPacketBytes: number) {
    this.#maxPacketBytes = maxPacketBytes;
  }

  /** Takes the stream in order, cut anywhere. After a fault the guard is of no more use. */
  check(chunk: Uint8Array): FrameFault | null {
    this.completeEnd = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= taken;
        at += taken;
      } else {
        const fault = this.#header(chunk[at] ?? 0);
        if (fault !== null) return fault;
        at += 1;
      }
      if (this.#bodyLeft === 0 && this.#headerBytes === 0) this.completeEnd = at;
    }
    return null;
  }

  #header(byte: number): FrameFault | null {
    const place = this.#headerBytes - 1;
    this.#headerBytes += 1;
    if (place < 0) return null;
    this.#length += (byte & 127) * 128 ** place;
    if (byte >= 128) return place + 1 === MAX_LENGTH_BYTES ? 'malformed_length' : null;
    if (this.#headerBytes + this.#length > this.#maxPacketBytes) return 'packet_too_large';
    this.#bodyLeft = this.#length;
    this.#headerBytes = 0;
    this.#length = 0;
    return null;
  }
}
