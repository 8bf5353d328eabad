/**
 * Subscribers with sessions come and go while the gateway is killed at random moments, retained messages change, and
 * clients connect with wills; then everybody stays, and what was acknowledged to the publishers is compared with what
 * each subscriber got, and what wills were on disk at a kill with what became of them.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { Ledger } from '../support/ledger.ts';
import { MqttSubscriber } from '../support/mqtt-subscriber.ts';
import { SeededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './fleet.ts';
import { RetainedPublisher } from './retained-publisher.ts';
import { defineScenario, flag, wholeNumber } from './scenario.ts';
import { Testators, type WillCounts } from './testators.ts';

interface SessionsOptions {
  readonly cycles: number;
  readonly seed: number;
  /** A gateway that keeps nothing for sessions on disk: it must lose messages. */
  readonly control: boolean;
  readonly say: (line: string) => void;
}

interface SessionsResult {
  readonly kills: number;
  readonly ackedCount: number;
  /** At all subscribers together, repetitions included. */
  readonly arrivedCount: number;
  /** Acknowledged to the publisher, and never at a subscriber. */
  readonly lostCount: number;
  /** Of QoS 2 from end to end, more than once at a subscriber. */
  readonly doubledCount: number;
  readonly disorderedCount: number;
  readonly forgottenSessions: number;
  readonly retainedChecks: number;
  /** Retained messages that were older than the last acknowledged one, or newer than the last one sent. */
  readonly retainedWrong: number;
  readonly wills: WillCounts;
  readonly problems: readonly string[];
}

const QUIET_TIMEOUT_MS = 30_000;
const FORGET = ['--import', new URL('./forget-sessions.ts', import.meta.url).href];

async function runSessions(options: SessionsOptions): Promise<SessionsResult> {
  const gateway = await GatewayProcess.create({ nodeOptions: options.control ? FORGET : [] });
  const port = gateway.mqttPort;
  const listeners = [{ host: '127.0.0.1', port }];
  gateway.configure({ mqtt: { listeners, maxPublishRate: 0, maxQueuedMessages: 60_000, maxQueuedBytes: '32MiB' } });
  const fleet = new Fleet({ port, seed: options.seed, messagesPerS: 100 });
  const subscribers = ([1, 2, 1, 2] as const).map((qos, index) => {
    const random = new SeededRandom(options.seed * 17 + index);
    return new MqttSubscriber({ clientId: `sub-${index}-q${qos}`, port, filter: 'devices/#', qos, random });
  });
  const retained = new RetainedPublisher(port);
  const testators = new Testators(gateway);
  try {
    await gateway.start();
    for (const subscriber of subscribers) subscriber.start();
    await waitFor(() => subscribers.every(({ isSubscribed }) => isSubscribed), {
      what: 'the subscriptions',
      timeoutMs: 10_000,
    });
    fleet.start();
    await retained.start();
    await killAgainAndAgain({ gateway, retained, testators }, options);
    await fleet.finish();
    for (const subscriber of subscribers) subscriber.stay();
    const ledgers = fleet.senders.map(({ ledger }) => ledger);
    const lost = () => subscribers.reduce((sum, subscriber) => sum + lostTo(subscriber, ledgers), 0);
    // What is missing at the deadline is lost; a control loses.
    await waitFor(() => lost() === 0, { what: 'everything', timeoutMs: QUIET_TIMEOUT_MS, everyMs: 250 }).catch(
      () => {},
    );
    return judge(options, { fleet, subscribers, retained, lostCount: lost(), wills: await testators.count() });
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    retained.stop();
    testators.close();
    for (const subscriber of subscribers) subscriber.close();
    fleet.close();
    await gateway.dispose();
  }
}

interface Victims {
  readonly gateway: GatewayProcess;
  readonly retained: RetainedPublisher;
  readonly testators: Testators;
}

async function killAgainAndAgain(
  { gateway, retained, testators }: Victims,
  { cycles, seed, say }: SessionsOptions,
): Promise<void> {
  const random = new SeededRandom(seed);
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    // It may be on its way up.
    await testators.connect().catch(() => undefined);
    await delay(random.between(10, 600));
    testators.look();
    await gateway.stop('SIGKILL');
    retained.stop();
    gateway.launch();
    if (cycle === cycles || !random.chance(0.15)) {
      await gateway.ready();
      await retained.check();
      await retained.start();
    }
    if (cycle % 20 === 0) say(`${cycle} of ${cycles} kills`);
  }
}

interface Run {
  readonly fleet: Fleet;
  readonly subscribers: readonly MqttSubscriber[];
  readonly retained: RetainedPublisher;
  readonly lostCount: number;
  readonly wills: WillCounts;
}

function judge({ cycles }: SessionsOptions, { fleet, subscribers, retained, lostCount, wills }: Run): SessionsResult {
  const sum = (count: (subscriber: MqttSubscriber) => number) =>
    subscribers.reduce((total, subscriber) => total + count(subscriber), 0);
  const onceOnly = fleet.senders
    .map(({ ledger }) => ledger)
    .filter(({ device }) => fleet.exactlyOnceDevices.includes(device));
  const figures = {
    kills: cycles,
    ackedCount: fleet.ackedCount,
    arrivedCount: sum(({ arrivedCount }) => arrivedCount),
    lostCount,
    doubledCount: sum((subscriber) => (subscriber.qos === 2 ? doubledAt(subscriber, onceOnly) : 0)),
    disorderedCount: sum(({ disorderedCount }) => disorderedCount),
    forgottenSessions: sum(({ forgottenCount }) => forgottenCount),
    retainedChecks: retained.checkCount,
    retainedWrong: retained.wrongCount,
    wills,
  };
  return { ...figures, problems: problemsOf(figures) };
}

function problemsOf(figures: Omit<SessionsResult, 'problems'>): readonly string[] {
  const found: string[] = [];
  if (figures.ackedCount === 0 || figures.retainedChecks === 0) found.push('nothing was checked: the run says nothing');
  if (figures.lostCount > 0) found.push(`${figures.lostCount} acknowledged messages never came to a subscriber`);
  if (figures.doubledCount > 0) found.push(`${figures.doubledCount} QoS 2 messages came twice`);
  if (figures.disorderedCount > 0) found.push(`${figures.disorderedCount} messages came out of order`);
  if (figures.forgottenSessions > 0) found.push(`${figures.forgottenSessions} times a session was forgotten`);
  if (figures.retainedWrong > 0) found.push(`${figures.retainedWrong} retained messages were not the last ones`);
  return [...found, ...willProblems(figures.wills)];
}

function willProblems({ leftCount, withdrawnCount, lostCount, doubledCount, unwantedCount }: WillCounts): string[] {
  const found: string[] = [];
  if (leftCount === 0 || withdrawnCount === 0) found.push('no wills were checked: the run says nothing about them');
  if (lostCount > 0) found.push(`${lostCount} wills were on disk at a kill, and never published`);
  if (doubledCount > 0) found.push(`${doubledCount} wills were published twice`);
  if (unwantedCount > 0) found.push(`${unwantedCount} wills were published after their clients had said goodbye`);
  return found;
}

function lostTo(subscriber: MqttSubscriber, ledgers: readonly Ledger[]): number {
  return countNumbers(
    ledgers,
    (ledger, number) => ledger.isAcked(number) && subscriber.timesSeen(ledger.device, number) === 0,
  );
}

function doubledAt(subscriber: MqttSubscriber, ledgers: readonly Ledger[]): number {
  return countNumbers(ledgers, ({ device }, number) => subscriber.timesSeen(device, number) > 1);
}

function countNumbers(ledgers: readonly Ledger[], counts: (ledger: Ledger, number: number) => boolean): number {
  let count = 0;
  for (const ledger of ledgers) {
    for (let number = 1; number <= ledger.sentCount; number += 1) if (counts(ledger, number)) count += 1;
  }
  return count;
}

export const scenario = defineScenario({
  about: 'SIGKILL under subscribers with sessions, retained messages and wills: none of them is lost or comes twice',
  usage: '[--cycles N] [--seed S] [--control]',
  options: {
    cycles: wholeNumber(60, 'kills', 1),
    control: flag('keep nothing for sessions on disk, nor look for wills: messages and wills must be lost'),
  },
  run: async ({ cycles, seed, control, say }) => {
    const result = await runSessions({ cycles, seed, control, say });
    const isBroken = result.lostCount > 0 && result.retainedWrong > 0 && result.wills.lostCount > 0;
    const passed = control ? isBroken : result.problems.length === 0;
    const lines = result.problems.map((problem) => (control ? `the control: ${problem}` : `PROBLEM ${problem}`));
    const blind = control && !passed ? ['FAIL: this run could not have noticed any loss'] : [];
    return { passed, lines: [...lines, ...blind], json: { cycles, control, ...result } };
  },
});
