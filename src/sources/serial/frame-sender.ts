import type { FrameAnswer } from './frame-answers.ts';

/** Who sent a frame, as far as the one who takes it needs to know. */
export interface FrameSender {
  /** Its frame was stored for the device. */
  speaksFor(device: string): void;
  /** To be called in the order of the frames. Goes to the device that sent them: to no other that was plugged in since. */
  answer(answer: FrameAnswer): void;
}
