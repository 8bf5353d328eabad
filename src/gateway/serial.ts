import type { Config } from '../config/config.ts';
import type { CommandSink, OnReachable } from '../core/command.ts';
import type { SluiceError } from '../core/errors.ts';
import { channelOfKey } from '../core/frame-key.ts';
import type { FrameIntake } from '../core/ports.ts';
import type { Handshake } from '../core/record.ts';
import type { SerialPortView, Speakers } from '../core/views.ts';
import type { Logger } from '../platform/logger.ts';
import type { RepeatSummary } from '../platform/repeat-summary.ts';
import { portOptions } from './serial-ports.ts';
import { SerialThread } from './serial-thread.ts';
import type { Watch } from './spawn-worker.ts';

/** A serial source, or none where no port is configured. */
export interface Serial {
  ports(): readonly SerialPortView[];
  stop(): Promise<void>;
}

export interface SerialParts {
  readonly config: Config['serial'];
  readonly intake: FrameIntake;
  readonly speakers: Speakers;
  readonly devices: { introduce(device: string): void };
  readonly commands: { addSink(sink: CommandSink): void; readonly reachable: OnReachable };
  readonly openHandshakes: readonly Handshake[];
  readonly logger: Logger;
  readonly repeats: RepeatSummary;
  readonly watch: Watch;
  readonly onDeath: (error: SluiceError) => void;
  readonly now: () => number;
}

/** What the log has open, told apart: QoS 2 exchanges and their like, and frames of serial ports. */
export function frameKeysApart(open: readonly Handshake[]): {
  readonly exchanges: readonly Handshake[];
  readonly frames: readonly Handshake[];
} {
  const { frames = [], exchanges = [] } = Object.groupBy(open, (handshake) =>
    channelOfKey(handshake) === undefined ? 'exchanges' : 'frames',
  );
  return { exchanges, frames };
}

/** Begins to: clients of MQTT that give commands at once, when they can connect, find ports that take them. */
export function loadSerial(config: Config['serial']): void {
  // What fails here does so again when it is started.
  if (config.length > 0) import('../sources/serial/serial-source.ts').catch(() => undefined);
}

/** Starts it. Without ports it is not even loaded, and frames that the store still knows are forgotten. */
export async function startSerial({
  config,
  openHandshakes,
  devices,
  commands,
  watch,
  onDeath,
  ...parts
}: SerialParts): Promise<Serial> {
  const knownFrames = frameKeysApart(openHandshakes).frames;
  if (config.length === 0 && knownFrames.length === 0) return { ports: () => [], stop: () => Promise.resolve() };
  const { SerialSource } = await import('../sources/serial/serial-source.ts');
  const onReachable = (device: string): void => {
    devices.introduce(device);
    commands.reachable(device);
  };
  const thread = new SerialThread({ watch, onDeath });
  const source = new SerialSource({
    ...parts,
    openReading: thread.open,
    onReachable,
    ports: config.map(portOptions),
    knownFrames,
  });
  commands.addSink(source.commands);
  await source.start();
  return {
    ports: () => source.ports(),
    stop: async () => {
      await source.stop();
      await thread.stop();
    },
  };
}
