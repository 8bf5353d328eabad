import type { Command, CommandAnswer, CommandSink, Handover } from '../../../core/command.ts';
import type { Port } from '../port.ts';

type CommandPort = Pick<Port, 'takesCommandsOf' | 'isOpen' | 'send' | 'forget'>;

/** The way of commands over serial ports: each goes to the port whose frames are the device's. */
export class PortCommands implements CommandSink {
  readonly #ports: () => readonly CommandPort[];

  constructor(ports: () => readonly CommandPort[]) {
    this.#ports = ports;
  }

  takes(device: string): boolean {
    return this.#ports().some((port) => port.takesCommandsOf(device));
  }

  async send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    const ports = this.#ports().filter((port) => port.takesCommandsOf(command.device));
    const port = ports.find(({ isOpen }) => isOpen) ?? ports[0];
    return port === undefined ? 'unreachable' : await port.send(command, onAnswer);
  }

  forget(requestId: string): void {
    for (const port of this.#ports()) port.forget(requestId);
  }
}
