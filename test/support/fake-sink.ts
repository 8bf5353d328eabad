import type { Command, CommandAnswer, CommandSink, Handover } from '../../src/core/command.ts';

/** A way to devices that a test opens, shuts and answers for. */
export class FakeSink implements CommandSink {
  readonly sent: Command[] = [];
  readonly forgotten: string[] = [];
  /** Of which devices it says that they can be reached. */
  readonly reached = new Set<string>();
  /** Of which devices it says that their commands go this way. */
  readonly taken = new Set<string>();
  offeredCount = 0;
  /** While it is set, `send` waits for it before it does anything. */
  hold: Promise<void> | null = null;
  readonly #answers = new Map<string, (answer: CommandAnswer) => void>();

  takes(device: string): boolean {
    return this.taken.has(device);
  }

  async send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    this.offeredCount += 1;
    if (this.hold !== null) await this.hold;
    if (this.forgotten.includes(command.requestId) || !this.reached.has(command.device)) return 'unreachable';
    this.sent.push(command);
    this.#answers.set(command.requestId, onAnswer);
    return 'sent';
  }

  forget(requestId: string): void {
    this.forgotten.push(requestId);
    this.#answers.delete(requestId);
  }

  /** Of the command that was sent last. */
  answer(answer: CommandAnswer): void {
    this.answerTo(this.sent.at(-1)?.requestId ?? '', answer);
  }

  answerTo(requestId: string, answer: CommandAnswer): void {
    const onAnswer = this.#answers.get(requestId);
    this.#answers.delete(requestId);
    onAnswer?.(answer);
  }
}
