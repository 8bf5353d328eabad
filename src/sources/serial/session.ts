import type { Command, CommandAnswer, Handover } from '../../core/command.ts';
import type { PortListener } from './port-life.ts';

/** What happens at a port while it is open. */
export interface Session extends PortListener {
  /** Resolves when no answer waits to be written. */
  answered(): Promise<void>;
  /** Called once, before anything is read: commands may come. */
  opened(): void;
  /** Whether it spoke for the device, where frames say whose they are. */
  isOf?(device: string): boolean;
  /** As a `CommandSink` does. */
  send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover>;
  forget(requestId: string): void;
}
