import { createRoute, z } from '@hono/zod-openapi';
import type { CommandView } from '../../core/commands.ts';
import { SluiceError } from '../../core/errors.ts';
import { ASKED_EXAMPLE, ASKED_SCHEMA, askedOf, checkCommandName, WaitQuery, waitMsOf } from '../command-request.ts';
import type { Api, ApiContext } from '../context.ts';
import { NextCursor, numberBehind, numberCursor, PageQuery } from '../page.ts';
import { problemResponses } from '../problems.ts';
import { toTime } from '../times.ts';
import { deviceNotFound } from './devices.ts';

const LIST = 'commands';

const COMMAND_EXAMPLE = {
  request_id: '1f0c5f2b7d9e4a60b1c2d3e4f5a6b7c8',
  device: 'greenhouse-1',
  name: 'water',
  ...ASKED_EXAMPLE,
  state: 'done' as const,
  created_at: '2026-05-01T12:00:00.000Z',
  deadline: '2026-05-01T12:00:05.000Z',
  sent_at: '2026-05-01T12:00:00.001Z',
  finished_at: '2026-05-01T12:00:00.210Z',
  status: 200,
  result: { litres: 1.5 },
  error: null,
};

const Command = z
  .object({
    request_id: z.string(),
    device: z.string(),
    name: z.string(),
    params: z.unknown(),
    timeout_ms: z.int(),
    state: z.enum(['queued', 'sent', 'done', 'failed', 'expired', 'cancelled']).openapi({
      description:
        '`queued`: its device was not reached yet. `sent`: written to the device, which has not answered. `done`: answered with a status of ' +
        '200 to 299. `failed`: with another one. `expired`: not answered in time. `cancelled`: nobody waits any more.',
    }),
    created_at: z.string().nullable(),
    deadline: z.string().nullable(),
    sent_at: z.string().nullable().openapi({
      description: 'Null while it was not written to the device. One that was may have been run, whatever its state.',
    }),
    finished_at: z.string().nullable(),
    status: z.int().nullable().openapi({ description: 'As the device answered.' }),
    result: z.unknown(),
    error: z.string().nullable(),
  })
  .openapi('Command', { example: COMMAND_EXAMPLE });

const CommandPage = z.object({ commands: z.array(Command), next_cursor: NextCursor }).openapi('CommandPage', {
  example: { commands: [COMMAND_EXAMPLE], next_cursor: null },
});

const ONE_COMMAND = { 'application/json': { schema: Command } } as const;
const RequestId = z.object({ request_id: z.string().openapi({ example: COMMAND_EXAMPLE.request_id }) });

const giveCommand = createRoute({
  method: 'post',
  path: '/v1/devices/{id}/commands/{name}',
  summary: 'Give a device a command',
  description:
    'It is written to the device once, at once or when the device can be reached within `timeout_ms`, and never after that. What is ' +
    'given is kept in memory only: a restart of the gateway forgets it, and never sends it again.',
  request: {
    params: z.object({
      id: z.string().openapi({ example: 'greenhouse-1' }),
      name: z.string().openapi({ example: 'water', description: '1 to 128 characters of A-Z a-z 0-9 . _ -' }),
    }),
    query: WaitQuery,
    body: { required: false, content: { 'application/json': { schema: ASKED_SCHEMA } } },
  },
  responses: {
    200: { description: 'With `wait`: the device has answered.', content: ONE_COMMAND },
    202: {
      description: 'Without `wait`: given. `Location` is where it can be looked at.',
      headers: z.object({ Location: z.string() }),
      content: ONE_COMMAND,
    },
    ...problemResponses([
      'device_not_found',
      'command_cancelled',
      'command_too_large',
      'unsupported_media_type',
      'bad_command_name',
      'too_many_commands',
      'commands_full',
      'command_expired',
      'answer_pending',
    ]),
  },
});

const listCommands = createRoute({
  method: 'get',
  path: '/v1/devices/{id}/commands',
  summary: 'Commands of a device, newest first: those that wait, and those that were finished within an hour',
  request: { params: z.object({ id: z.string().openapi({ example: 'greenhouse-1' }) }), query: PageQuery },
  responses: {
    200: { description: 'A page of commands.', content: { 'application/json': { schema: CommandPage } } },
    ...problemResponses(['bad_limit', 'bad_cursor', 'device_not_found']),
  },
});

const getCommand = createRoute({
  method: 'get',
  path: '/v1/commands/{request_id}',
  summary: 'One command',
  request: { params: RequestId },
  responses: { 200: { description: 'The command.', content: ONE_COMMAND }, ...problemResponses(['command_not_found']) },
});

const cancelCommand = createRoute({
  method: 'delete',
  path: '/v1/commands/{request_id}',
  summary: 'Cancel a command: it is not sent any more, and its answer is not waited for',
  request: { params: RequestId },
  responses: {
    200: {
      description: 'It is cancelled. With a `sent_at`, the device may run it all the same.',
      content: ONE_COMMAND,
    },
    ...problemResponses(['command_not_found', 'command_finished']),
  },
});

export function commandRoutes(app: Api, { commands, views }: ApiContext): void {
  const check = (device: string): string => {
    if (views.devices.get(device) === undefined) throw deviceNotFound();
    return device;
  };
  app.openapi(giveCommand, async (c) => {
    const { id, name } = c.req.valid('param');
    const waitMs = waitMsOf(c.req.valid('query'));
    const { params = null, timeout_ms: timeoutMs } = await askedOf(c.req);
    const given = commands.give({ device: check(id), name: checkCommandName(name), params, timeoutMs });
    const { requestId } = given;
    if (waitMs === undefined) return c.json(commandJson(given), 202, { location: `/v1/commands/${requestId}` });
    const answered = checkAnswered((await commands.finished(requestId, waitMs)) ?? given);
    return c.json(commandJson(answered), 200);
  });
  app.openapi(listCommands, (c) => {
    const device = check(c.req.valid('param').id);
    const { limit, cursor } = c.req.valid('query');
    const found = commands.list(device, numberBehind(LIST, cursor) ?? Number.MAX_SAFE_INTEGER, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const next = found.length > limit && last !== undefined ? numberCursor(LIST, last.number) : null;
    return c.json({ commands: page.map(commandJson), next_cursor: next }, 200);
  });
  app.openapi(getCommand, (c) => {
    const found = commands.get(c.req.valid('param').request_id);
    if (found === undefined) throw commandNotFound();
    return c.json(commandJson(found), 200);
  });
  app.openapi(cancelCommand, (c) => {
    const cancelled = commands.cancel(c.req.valid('param').request_id);
    if (cancelled === undefined) throw commandNotFound();
    return c.json(commandJson(cancelled), 200);
  });
}

/** @throws SluiceError `answer_pending`, `command_expired`, `command_cancelled` */
function checkAnswered(command: CommandView): CommandView {
  const { state, requestId, sentAt } = command;
  const where = `GET /v1/commands/${requestId} shows`;
  switch (state) {
    case 'done':
    case 'failed':
      return command;
    case 'queued':
    case 'sent':
      throw new SluiceError('the device has not answered yet', {
        code: 'answer_pending',
        hint: `The command goes on: ${where} what becomes of it, and DELETE cancels it.`,
      });
    case 'expired':
      throw new SluiceError(
        sentAt === null ? 'the device was not reached in time' : 'the device has not answered in time',
        {
          code: 'command_expired',
          hint:
            sentAt === null
              ? 'The command was not sent, and never will be. Commands reach a device that subscribes to them over MQTT, or whose serial port has `commands`, or its Modbus unit registers that are `writable`.'
              : `It may have been run all the same. ${where} when it was sent.`,
        },
      );
    case 'cancelled':
      throw new SluiceError('somebody cancelled the command', {
        code: 'command_cancelled',
        hint: `${where} whether it had been sent.`,
      });
  }
}

function commandJson({ requestId, timeoutMs, ...command }: CommandView): z.infer<typeof Command> {
  const { device, name, params, state, status, result, error } = command;
  return {
    request_id: requestId,
    ...{ device, name, params },
    timeout_ms: timeoutMs,
    state,
    created_at: toTime(command.createdAt),
    deadline: toTime(command.deadline),
    sent_at: toTime(command.sentAt),
    finished_at: toTime(command.finishedAt),
    ...{ status, result, error },
  };
}

function commandNotFound(): SluiceError {
  return new SluiceError('there is no such command', {
    code: 'command_not_found',
    hint: 'It may have been finished long ago, or before the gateway started. GET /v1/devices/{id}/commands lists what there is.',
  });
}
