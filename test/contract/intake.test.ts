import { Ingest } from '../../src/ingest/ingest.ts';
import { FakeIntake } from '../support/fake-intake.ts';
import { FakeLogWriter } from '../support/fake-log-writer.ts';
import { noRestraint } from '../support/no-restraint.ts';
import { intakeContract } from './intake.suite.ts';

intakeContract('ingest', () => {
  const log = new FakeLogWriter();
  const clock = { now: () => Date.UTC(2026, 4, 1), quality: () => 'synced' as const, bootTime: () => undefined };
  const callbacks = { onAccepted: () => undefined, onRefused: () => undefined };
  const intake = new Ingest({ log, routes: [], clock, ...noRestraint(), ...callbacks });
  return { intake, hold: () => log.hold(), letGo: () => log.release() };
});

intakeContract('the fake', () => {
  const intake = new FakeIntake();
  intake.refusal = (payload) => (payload === 'not json' ? 'not_json' : undefined);
  return { intake, hold: () => intake.hold(), letGo: () => intake.letGo() };
});
