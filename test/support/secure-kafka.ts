/** A real Kafka whose listeners ask for certificates and passwords, and which grants nobody anything by itself. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import {
  type AclEntry,
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  ConfigResourceTypes,
  ResourcePatternTypes,
} from 'kafkajs';
import { CertificateAuthority, type CertificateOptions } from './certificates.ts';
import { freePort } from './free-port.ts';
import { type Kafka, startKafka } from './kafka.ts';
import type { KafkaListener } from './kafka-properties.ts';
import { waitFor } from './wait-for.ts';

export const USER = 'pi';
export const PASSWORD = 'right-password';
/** Of the broker. They take connections in turn, and each changes its certificate by itself. */
const NETWORK_THREADS = 2;
const LOGIN = 'org.apache.kafka.common.security';

/** `tls`: encrypted; `mutual`: asks for a client certificate too; `sasl`: encrypted, with all mechanisms. */
const LISTENERS = ['tls', 'mutual', 'sasl'] as const;
export type ListenerName = (typeof LISTENERS)[number];

export interface SecureKafka {
  readonly kafka: Kafka;
  readonly authority: CertificateAuthority;
  /** `host:port`. */
  readonly brokers: Readonly<Record<ListenerName, string>>;
  /** Gives the listener another certificate, without a restart. */
  present(listener: ListenerName, certificate: CertificateOptions, authority?: CertificateAuthority): Promise<void>;
  /** Resolves when the broker goes by it; so does `forbid`. */
  allow(...grants: readonly Grant[]): Promise<void>;
  forbid(...grants: readonly Grant[]): Promise<void>;
  stop(): Promise<void>;
}

export interface Grant {
  readonly operation: 'Create' | 'Describe' | 'DescribeConfigs' | 'Read' | 'Write';
  readonly topic?: string;
  /** Without `topic`. Undefined: the cluster. */
  readonly of?: { readonly type: 'group' | 'transactional id'; readonly name: string };
  /** Also of all whose names only begin so. */
  readonly prefixed?: boolean;
  /** Default: the user of `sasl`. */
  readonly user?: string;
}

export async function startSecureKafka(): Promise<SecureKafka> {
  const authority = new CertificateAuthority();
  const ports = Object.fromEntries(
    await Promise.all(LISTENERS.map(async (name) => [name, await freePort()] as const)),
  ) as Record<ListenerName, number>;
  const server = pemStore(authority, { name: 'broker' });
  const truststore = { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': authority.caFile };
  const tls = { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': server };
  const listeners: KafkaListener[] = [
    { name: 'TLS', protocol: 'SSL', port: ports.tls, properties: tls },
    {
      name: 'MUTUAL',
      protocol: 'SSL',
      port: ports.mutual,
      properties: { ...tls, ...truststore, 'ssl.client.auth': 'required' },
    },
    { name: 'SASL', protocol: 'SASL_SSL', port: ports.sasl, properties: { ...tls, ...SASL } },
  ];
  const kafka = await startKafka({
    listeners,
    scramUsers: { [USER]: PASSWORD },
    extraProperties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // The plain listener is the tests' own.
      'super.users': 'User:ANONYMOUS',
      'ssl.allow.dn.changes': true,
      'ssl.allow.san.changes': true,
    },
  });
  return {
    kafka,
    authority,
    brokers: {
      tls: `127.0.0.1:${ports.tls}`,
      mutual: `127.0.0.1:${ports.mutual}`,
      sasl: `127.0.0.1:${ports.sasl}`,
    },
    present: async (listener, certificate, issuer = authority) => {
      const store = pemStore(issuer, certificate);
      await changeBroker(kafka, { [`listener.name.${listener}.ssl.keystore.location`]: store });
      const { fingerprint256 } = new X509Certificate(readFileSync(store));
      const isShown = async (): Promise<boolean> => {
        for (let thread = 0; thread < NETWORK_THREADS; thread += 1) {
          if ((await shownBy(ports[listener])) !== fingerprint256) return false;
        }
        return true;
      };
      await waitFor(isShown, { what: `the new certificate of ${listener}`, timeoutMs: 20_000 });
    },
    allow: (...grants) =>
      kafka.admin(async (admin) => {
        const acl = grants.map(aclOf);
        await admin.createAcls({ acl });
        for (const entry of acl) await untilGranted(admin, entry, true);
      }),
    forbid: (...grants) =>
      kafka.admin(async (admin) => {
        const filters = grants.map(aclOf);
        await admin.deleteAcls({ filters });
        for (const entry of filters) await untilGranted(admin, entry, false);
      }),
    stop: async () => {
      await kafka.stop();
      authority.remove();
    },
  };
}

const SASL = {
  'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  'plain.sasl.jaas.config': `${LOGIN}.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`,
  'scram-sha-256.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
  'scram-sha-512.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
  // Takes tokens that nobody signed, but checks their times.
  'oauthbearer.sasl.jaas.config': `${LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
};

/** An unsigned JSON Web Token (RFC 7519, 6) for the user of `sasl`. */
export function unsecuredToken({ expiresInS }: { readonly expiresInS: number }): string {
  const nowS = Date.now() / 1_000;
  const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url');
  const issuedAtS = Math.min(nowS, nowS + expiresInS) - 3_600;
  return `${part({ alg: 'none' })}.${part({ sub: USER, iat: issuedAtS, exp: nowS + expiresInS })}.`;
}

/** Private key and certificate in one file, as Kafka wants it. */
function pemStore(authority: CertificateAuthority, certificate: CertificateOptions): string {
  const { certFile, keyFile } = authority.issue(certificate);
  const file = certFile.replace('.pem', '-store.pem');
  writeFileSync(file, readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8'));
  return file;
}

/** Fingerprint of the certificate that a server shows. */
async function shownBy(port: number): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.fingerprint256;
  } finally {
    socket.destroy();
  }
}

const changed = new Map<Kafka, Record<string, string>>();

/** Kafka replaces all that was changed before at once. */
async function changeBroker(kafka: Kafka, entries: Readonly<Record<string, string>>): Promise<void> {
  const all = { ...changed.get(kafka), ...entries };
  changed.set(kafka, all);
  const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }));
  const resources = [{ type: ConfigResourceTypes.BROKER, name: '1', configEntries }];
  await kafka.admin((admin) => admin.alterConfigs({ validateOnly: false, resources }));
}

/** The controller answers when it has written a grant down; the broker goes by it when it has read that, a little later. */
async function untilGranted(admin: Admin, acl: AclEntry, wanted: boolean): Promise<void> {
  const isGranted = async (): Promise<boolean> => (await admin.describeAcls(acl)).resources.length > 0;
  const what = `the broker to ${wanted ? 'grant' : 'refuse'} operation ${acl.operation} on ${acl.resourceName}`;
  await waitFor(async () => (await isGranted()) === wanted, { what, timeoutMs: 20_000 });
}

function aclOf({ operation, topic, of, prefixed = false, user = USER }: Grant): AclEntry {
  const { LITERAL, PREFIXED } = ResourcePatternTypes;
  const other = of === undefined ? AclResourceTypes.CLUSTER : RESOURCES[of.type];
  return {
    resourceType: topic === undefined ? other : AclResourceTypes.TOPIC,
    resourceName: topic ?? of?.name ?? 'kafka-cluster',
    resourcePatternType: prefixed ? PREFIXED : LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: OPERATIONS[operation],
    permissionType: AclPermissionTypes.ALLOW,
  };
}

const RESOURCES = { group: AclResourceTypes.GROUP, 'transactional id': AclResourceTypes.TRANSACTIONAL_ID };

const OPERATIONS = {
  Create: AclOperationTypes.CREATE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
};
