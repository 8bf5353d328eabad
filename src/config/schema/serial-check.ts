import type { z } from 'zod';
import { checkPolled } from './modbus.ts';
import type { Written } from './options.ts';
import { checkDecoding } from './route-check.ts';
import { DECODING } from './routes.ts';

const NOT_WITH_TOPICS = [...Object.keys(DECODING), 'deviceFrom', 'dedupe'];

/** What one option of a port asks of the others. */
export function checkPort(port: object, context: z.core.$RefinementCtx): void {
  const written = port as Written;
  const { path, deviceFrom, stream, ack, nack, dedupe: window } = written;
  const isPattern = typeof path === 'string' && path.includes('*');
  const ofPort = ['name', ...(isPattern ? ['port'] : [])];
  if (written['modbus'] !== undefined) {
    checkPolled(written, context, ofPort);
    return;
  }
  const captures = [...ofPort, ...(deviceFrom === undefined ? [] : ['device'])];
  checkDecoding(port, context, captures);
  const report = (option: string, message: string) => context.addIssue({ code: 'custom', path: [option], message });
  const namesFrame = (answer: unknown) => typeof answer === 'string' && answer.includes('{frame}');
  if (namesFrame(ack) && window === undefined) report('ack', '{frame} needs dedupe, which says where it stands');
  if (namesFrame(nack)) report('nack', 'has {frame}, but nobody knows the number of a frame that is bad');
  if (written['topicFirst'] === true) {
    for (const option of NOT_WITH_TOPICS) {
      if (written[option] !== undefined)
        report(option, 'does not fit topicFirst: the topic of each frame says what it is');
    }
  }
  if (stream === 'telemetry' || stream === undefined) {
    if (written['topicFirst'] !== true) checkNamed(written, context);
    return;
  }
  if (written['topicFirst'] === true) report('stream', 'does not fit topicFirst: the topic of each frame says it');
  if (deviceFrom !== undefined) report('deviceFrom', 'belongs to stream: telemetry, whose values have names');
  if (window !== undefined) report('dedupe', 'belongs to stream: telemetry, whose values have names');
}

/** Values that the data must have: those that no frame can have make every frame refused. */
function checkNamed(written: Written, context: z.core.$RefinementCtx): void {
  const { deviceFrom, dedupe: window } = written;
  const field = (window as Written | null | undefined)?.['field'];
  const report = (path: readonly string[], message: string | undefined) => {
    if (message !== undefined) context.addIssue({ code: 'custom', path: [...path], message });
  };
  report(['deviceFrom'], typeof deviceFrom === 'string' ? whyNever(deviceFrom, written) : undefined);
  const isDevice = field !== undefined && field === deviceFrom;
  const why = typeof field === 'string' ? whyNever(field, written) : undefined;
  report(['dedupe', 'field'], isDevice ? 'says whose the frame is: a number of its own is needed' : why);
}

function whyNever(name: string, { format = 'json', time = 'ts', columns, pattern }: Written): string | undefined {
  if (format === 'text') return 'does not fit format: text, whose one value is that of metric';
  if (name === time && format !== 'senml' && format !== 'raw') return 'is the time of observation';
  if (Array.isArray(columns)) return columns.includes(name) && name !== '_' ? undefined : 'is none of the columns';
  const isMissing = typeof pattern === 'string' && !pattern.includes(`<${name}>`);
  return isMissing ? 'is none of the groups of pattern' : undefined;
}
