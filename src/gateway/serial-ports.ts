import { Buffer } from 'node:buffer';
import type { Config } from '../config/config.ts';
import { bytesOf } from '../config/schema/options.ts';
import { DECODING } from '../config/schema/routes.ts';
import type { RouteOptions } from '../core/route.ts';
import { serialChannel, unitChannel } from '../core/serial-channel.ts';
import type { CheckOptions } from '../sources/serial/framing/check.ts';
import type { FramingOptions } from '../sources/serial/framing/options.ts';
import type { ModbusOptions } from '../sources/serial/modbus/options.ts';
import type { AnswerTemplate, PortOptions } from '../sources/serial/options.ts';
import { commandOptions, writeRule } from './serial-commands.ts';

type SerialConfig = Config['serial'][number];
type FramingConfig = SerialConfig['framing'];
type ModbusConfig = NonNullable<SerialConfig['modbus']>;
type UnitConfig = ModbusConfig['units'][number];

const NOTHING = Buffer.alloc(0);
const FRAME = '{frame}';
/** Adapters hand over what they have every 16 ms. */
const FRAME_GAP_MS = 50;
const BROKEN_OFF_MS = 1_000;

/** What the configuration of a port means to those who read it. */
export function portOptions(config: SerialConfig): PortOptions {
  const { baudRate, dataBits, parity, stopBits, flowControl } = config;
  return {
    name: config.name,
    path: config.path,
    line: {
      baudRate,
      dataBits: dataBits as PortOptions['line']['dataBits'],
      parity,
      stopBits: stopBits as PortOptions['line']['stopBits'],
      flowControl,
    },
    lock: config.lock,
    framing: framingOptions(config.framing),
    modbus: config.modbus && modbusOptions(config.modbus),
    silenceTimeout: config.silenceTimeout,
    ack: answerTemplate(config.ack),
    nack: answerTemplate(config.nack),
    frameWindow: config.dedupe?.window,
    commands: commandOptions(config.commands),
    readyAfterMs: config.readyAfter,
    maxWaitingBytes: config.maxWaiting,
  };
}

/** What the frames of a port become, or the values of the units that are polled on its line. */
export function serialRoutes(config: SerialConfig): readonly RouteOptions[] {
  return config.modbus === undefined
    ? [serialRoute(config)]
    : config.modbus.units.map((unit) => unitRoute(config, unit));
}

function unitRoute({ name, path, kafkaTopic }: SerialConfig, { unitId, device, registers }: UnitConfig): RouteOptions {
  const isPattern = path.includes('*');
  const whose = device ?? (isPattern ? '{name}-{port}-{unitId}' : '{name}-{unitId}');
  const rules = registers.map(({ name: metric, scale, offset, unit: shown }) => [
    metric,
    { scale, offset, unit: shown },
  ]);
  return {
    topic: unitChannel(serialChannel(name, isPattern ? '+port' : undefined), unitId),
    stream: 'telemetry',
    device: named(whose, name).replaceAll('{unitId}', String(unitId)),
    metrics: Object.fromEntries(rules),
    kafkaTopic,
  };
}

function serialRoute(config: SerialConfig): RouteOptions {
  const { name, path, stream, deviceFrom, dedupe, metric, eventType } = config;
  const isPattern = path.includes('*');
  const whose = deviceFrom !== undefined ? '{device}' : isPattern ? '{name}-{port}' : '{name}';
  return {
    ...decodingOf(config),
    topic: serialChannel(name, isPattern ? '+port' : undefined),
    stream,
    topicFirst: config.topicFirst,
    device: named(config.device ?? whose, name),
    deviceFrom,
    frameFrom: dedupe?.field,
    metric: metric && named(metric, name),
    eventType: eventType && named(eventType, name),
  };
}

type Decoding = keyof typeof DECODING;

/** The options that a port has in common with routes of topics. */
function decodingOf(config: SerialConfig): Pick<SerialConfig, Decoding> {
  const options = Object.keys(DECODING) as Decoding[];
  return Object.fromEntries(options.map((option) => [option, config[option]])) as Pick<SerialConfig, Decoding>;
}

/** The template with the name of the port in it; other placeholders are known when a frame is. */
function named(template: string, name: string): string {
  return template.replaceAll('{name}', name);
}

export function framingOptions(config: FramingConfig): FramingOptions {
  const { type, maxFrameBytes } = config;
  const check = checkOptions(config.check);
  const common = { maxFrameBytes, check };
  const start = config.start ?? NOTHING;
  const gapMs = config.gap ?? BROKEN_OFF_MS;
  switch (type) {
    case 'lines':
      return { ...common, kind: type, ending: config.ending ?? 'lf' };
    case 'delimiter':
      return { ...common, kind: type, delimiter: config.delimiter ?? NOTHING };
    case 'cobs':
    case 'slip':
      return { ...common, kind: type };
    case 'nmea0183':
      return { maxFrameBytes, kind: type };
    case 'fixed':
      return { ...common, kind: type, start, gapMs, length: config.length ?? 1 };
    case 'start-end':
      return { ...common, kind: type, start, gapMs, end: config.end ?? NOTHING };
    case 'inter-byte-timeout':
      return { ...common, kind: type, gapMs: config.gap ?? FRAME_GAP_MS };
    case 'length-prefixed':
      return {
        ...common,
        kind: type,
        start,
        gapMs,
        lengthOffset: config.lengthOffset ?? 0,
        lengthWidth: (config.lengthWidth ?? 1) as 1 | 2 | 4,
        lengthOrder: config.lengthOrder ?? 'big',
        lengthCovers: config.lengthCovers ?? 'rest',
      };
  }
}

function modbusOptions({ timeout, retries, units }: ModbusConfig): ModbusOptions {
  return {
    timeoutMs: timeout,
    retries,
    units: units.map(({ unitId, interval, maxGap, maxRegisters, writeMultiple, registers }) => ({
      unitId,
      maxGap,
      maxRegisters,
      writeMultiple,
      registers: registers.map((register) => ({
        name: register.name,
        table: register.type,
        address: register.address,
        value: register.value ?? 'uint16',
        wordOrder: register.wordOrder ?? 'big',
        intervalMs: register.readable === false ? undefined : (register.interval ?? interval),
        write: writeRule(register),
      })),
    })),
  };
}

function checkOptions(config: FramingConfig['check']): CheckOptions | undefined {
  if (config === undefined) return undefined;
  const { type, place = 'end', form = 'binary' } = config;
  return { type, place, form, order: config.order ?? (type === 'crc16-modbus' ? 'little' : 'big') };
}

/** A template of `{frame}`, or bytes in hexadecimal. */
function answerTemplate(written: string | undefined): AnswerTemplate | undefined {
  if (written === undefined) return undefined;
  const bytes = bytesOf(written);
  return written.includes(FRAME) ? (frame) => Buffer.from(written.replaceAll(FRAME, frame)) : () => bytes;
}
