import { SluiceError } from '../../../core/errors.ts';
import { printable } from '../../../core/printable.ts';
import type { Seq } from '../../../core/record.ts';
import type { GatewayIdentity } from '../../options.ts';
import type { Claim } from './claim.ts';

const MAX_SHOWN = 100;

export interface LanePositionOptions extends Pick<GatewayIdentity, 'instanceId' | 'hostName' | 'epoch' | 'firstSeq'> {
  /** Transactional id and group of the lane. */
  readonly name: string;
  /** Instance id of a gateway whose claim does not count. */
  readonly replaces: string | undefined;
}

/** How far a lane is at Kafka as this run knows it, and whether the lane's name there is ours. */
export class LanePosition {
  readonly #options: LanePositionOptions;
  /** Undefined until Kafka was asked, and while it holds nothing of this epoch. */
  #known: Seq | undefined;
  /** Of the last transaction whose end is not known. */
  #doubtful: Seq | undefined;

  constructor(options: LanePositionOptions) {
    this.#options = options;
  }

  get known(): Seq | undefined {
    return this.#known;
  }

  /** A transaction that moves the position there begins; what goes with it. */
  begin(seq: Seq): Claim {
    const { epoch, instanceId: instance, hostName: host } = this.#options;
    this.#doubtful = seq;
    return { seq, epoch, instance, host };
  }

  committed(seq: Seq): void {
    this.#known = seq;
    this.#doubtful = undefined;
  }

  /** Takes what Kafka holds for the truth. @throws SluiceError as `check` does */
  settle(claim: Claim | undefined): void {
    this.#known = this.check(claim) ?? this.#known;
    this.#doubtful = undefined;
  }

  /**
   * The seq that Kafka holds, when it is one of this epoch. A position of another epoch, or of a gateway that this one
   * replaces, says nothing about this log.
   * @throws SluiceError `name_taken`, `name_copied`
   */
  check(claim: Claim | undefined): Seq | undefined {
    const { instanceId, epoch, replaces } = this.#options;
    if (claim === undefined) return undefined;
    if (claim.instance !== instanceId && claim.instance !== replaces) throw this.#taken(claim);
    if (claim.instance !== instanceId || claim.epoch !== epoch) return undefined;
    if (!this.#isPossible(claim.seq)) throw this.#copied(claim);
    return claim.seq;
  }

  /**
   * This run knows what it sent; runs before it had lower seqs. A gateway that was copied with its data directory, or put
   * back from a backup, meets what its other self sent.
   */
  #isPossible(seq: Seq): boolean {
    if (this.#known === undefined) return seq < this.#options.firstSeq || seq === this.#doubtful;
    return seq === this.#known || seq === this.#doubtful;
  }

  #taken({ instance, host }: Claim): SluiceError {
    const { name, instanceId } = this.#options;
    const other = printable(instance, MAX_SHOWN);
    return new SluiceError(
      `the name ${name} belongs to another gateway at Kafka: instance ${other} on host ${printable(host, MAX_SHOWN)}; this one is ${instanceId}`,
      {
        code: 'name_taken',
        hint: `give one of them another gateway.id; when the other one is gone for good, set replaces: "${other}" at this uplink`,
      },
    );
  }

  #copied({ seq, host }: Claim): SluiceError {
    return new SluiceError(
      `a copy of this gateway has sent records as ${this.#options.name}, up to seq ${seq} on host ${printable(host, MAX_SHOWN)}`,
      {
        code: 'name_copied',
        hint: 'its data directory was copied, or put back from a backup: stop the copy, or give one another gateway.id and an empty data directory',
      },
    );
  }
}
