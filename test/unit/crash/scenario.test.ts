import { describe, expect, it } from 'vitest';
import { choice, defineScenario, flag, positiveNumber, UsageError, wholeNumber } from '../../crash/scenario.ts';

const example = defineScenario({
  about: 'an example',
  usage: '[OPTIONS]',
  options: {
    cycles: wholeNumber(60, 'cycles', 1),
    minutes: positiveNumber(1, 'minutes'),
    uplink: choice(['file', 'kafka'], 'file', 'where to'),
    control: flag('break it'),
  },
  run: ({ say: _, seed: __, ...options }) => Promise.resolve({ passed: true, lines: [], json: options }),
});

function play(...args: string[]): Promise<unknown> {
  return example.play(args, { say: () => undefined }).then(({ json: { seed: _, ...json } }) => json);
}

describe('the options of a crash scenario', () => {
  it('have defaults', async () => {
    const defaults = { passed: true, cycles: 60, minutes: 1, uplink: 'file', control: false };
    expect(await play()).toEqual(defaults);
  });

  it('are read from the command line', async () => {
    const given = await play('--cycles', '3', '--minutes=0.5', '--uplink', 'kafka', '--control');
    expect(given).toEqual({ passed: true, cycles: 3, minutes: 0.5, uplink: 'kafka', control: true });
  });

  it.each([
    [['--cycles', '0'], '--cycles must be a whole number from 1, not "0"'],
    [['--cycles', '1.5'], '--cycles must be a whole number from 1, not "1.5"'],
    [['--cycles='], '--cycles must be a whole number from 1, not ""'],
    [['--minutes', '0'], '--minutes must be a number above 0, not "0"'],
    [['--uplink', 'pigeon'], '--uplink must be one of file, kafka, not "pigeon"'],
    [['--seed', 'x'], '--seed must be a whole number from 0, not "x"'],
    [['--clent', 'kafkajs'], "Unknown option '--clent'"],
    [['stray'], 'stray'],
  ])('are refused when they make no sense: %j', async (args, message) => {
    await expect(play(...args)).rejects.toThrow(UsageError);
    await expect(play(...args)).rejects.toThrow(message);
  });
});

it('says which seed it plays before anything else, and plays the one it is given', async () => {
  const lines: string[] = [];
  const { json } = await example.play(['--seed', '7'], { say: (line) => lines.push(line) });
  expect(lines).toEqual(['seed 7']);
  expect(json['seed']).toBe(7);
});
