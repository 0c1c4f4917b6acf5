import { choice, count, duration, flag, percent, struct, text } from './fleet-kind.ts';

/** A key of a Secret in the policy's namespace. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** Somebody outside whom the hub asks. */
export interface OutsideServer {
  readonly url: string;
  readonly timeout: string;
  /** PEM; absent: the authorities that the hub's machine trusts. */
  readonly caBundle?: string;
  /** Sent as a bearer token. */
  readonly tokenSecret?: SecretKey;
}

export interface DevicesGate {
  /** CEL; see `deviceExpression`. */
  readonly expression: string;
  readonly successThreshold: string;
  readonly minMeasured: number;
}

export interface PrometheusGate extends OutsideServer {
  readonly query: string;
  /** CEL; see `samplesExpression`. */
  readonly expression: string;
}

export interface WebhookGate extends OutsideServer {
  readonly signingSecret?: SecretKey;
}

/** A gate for which somebody must be asked: the devices, a Prometheus server, or anybody else. One of the three. */
export interface MeasuredGate {
  readonly name: string;
  readonly devices?: DevicesGate;
  readonly prometheus?: PrometheusGate;
  readonly webhook?: WebhookGate;
  readonly interval: string;
  readonly failureLimit: number;
  readonly deadline: string;
  readonly onInconclusive: 'pause' | 'fail' | 'continue';
  readonly dryRun: boolean;
}

/** Only Secrets of this type are sent anywhere: who may write policies must not get at others by it. */
export const GATE_SECRET_TYPE = 'fleet.holdfast.dev/gate';

const MOST_EXPRESSION = 4096;
const MOST_URL = 2048;
const MOST_BUNDLE = 64 * 1024;

function secretKey(description: string) {
  return struct(
    `${description} A key of a Secret of this namespace, whose type must be ${GATE_SECRET_TYPE}.`,
    {
      name: text('The name of the Secret.', { minLength: 1, maxLength: 253 }),
      key: text('The key of its data.', { minLength: 1, maxLength: 253 }),
    },
    { required: ['name', 'key'] },
  );
}

const SERVER = {
  url: text('Where it is. The hub asks only servers that its setting --gate-servers names.', {
    maxLength: MOST_URL,
  }),
  timeout: duration('How long an answer may take, at most 60s.', '10s'),
  caBundle: text(
    "Certificates, as PEM, of the authorities that the server must be signed by. Those that the hub's machine trusts when absent.",
    { maxLength: MOST_BUNDLE },
  ),
  tokenSecret: secretKey('What is sent as a bearer token.'),
};

export const MEASURED_GATE = struct(
  'One gate: devices, prometheus or webhook. It is asked when the devices of a wave have decided, from then on each interval while the wave bakes, and once more when that is over. It passes, fails, or is inconclusive, and is then asked again until its deadline.',
  {
    name: text('What the gate is called.', {
      minLength: 1,
      maxLength: 63,
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    }),
    devices: struct(
      'A condition on each device of the wave that has taken the revision. A device that does not say what it uses counts neither for nor against.',
      {
        expression: text(
          'CEL that holds for a device that does well. It may name pod (name, namespace, node, phase, ready), metrics (cpu in cores, memory in bytes, and containers by name with the same), restarts, exitCodes and reasons (how containers last ended): metrics.memory < 200 * 1024 * 1024 && restarts == 0.',
          { minLength: 1, maxLength: MOST_EXPRESSION },
        ),
        successThreshold: percent('The share of the measured devices for which it must hold.', '95%'),
        minMeasured: count('Fewer measured devices decide nothing, unless the wave has no more.', {
          minimum: 1,
          default: 5,
        }),
      },
      { required: ['expression'] },
    ),
    prometheus: struct(
      'An instant query. Without data, or an answer, it is inconclusive.',
      {
        ...SERVER,
        query: text('In PromQL.', { minLength: 1, maxLength: MOST_EXPRESSION }),
        expression: text(
          'CEL that holds when all is well. It may name result, a list of samples with labels and value: result.all(sample, sample.value < 0.02).',
          { minLength: 1, maxLength: MOST_EXPRESSION },
        ),
      },
      { required: ['url', 'query', 'expression'] },
    ),
    webhook: struct(
      'A POST of JSON about the wave, answered with {"result": "pass"}, "fail" or "inconclusive", and a message.',
      {
        ...SERVER,
        signingSecret: secretKey(
          'The body is signed with it: the header X-Holdfast-Signature is sha256= and the HMAC in hexadecimal.',
        ),
      },
      { required: ['url'] },
    ),
    interval: duration('How often it is asked while a wave bakes, at least 10s.', '1m'),
    failureLimit: count('How often in a row it may fail before that counts.', { maximum: 1000, default: 0 }),
    deadline: duration('How long it may be inconclusive without a break.', '15m'),
    onInconclusive: choice(
      'What to do when it is inconclusive for longer: wait for somebody, take it as failed, or go on without it.',
      ['pause', 'fail', 'continue'],
      { default: 'pause' },
    ),
    dryRun: flag('Only tell what the gate finds.', false),
  },
  { required: ['name'] },
);
