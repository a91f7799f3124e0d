import type { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Token } from 'aws-cdk-lib';

/** The tag that the function reads unless it is told of another. */
export const DEFAULT_TAG = 'distributionId';

/** What a deployment can be given. Names and defaults are those of the CloudFormation template's parameters. */
export interface S3CloudFrontInvalidatorProps {
  /** The function's zip, as `scripts/package` makes it: `Code.fromAsset('function.zip')`. */
  readonly code: Code;
  /** What the function is built for. @default Architecture.X86_64 */
  readonly architecture?: Architecture;
  /** The function's memory in MB, from which its share of processor time follows. @default 256 */
  readonly memorySize?: number;
  /** How long the function's log is kept. @default RetentionDays.ONE_MONTH */
  readonly logRetentionDays?: RetentionDays;
  /**
   * The least level of the function's own lines. The lines that tell what was invalidated are INFO, those that StaleAnswers counts
   * WARN; metrics are written at each. @default 'INFO'
   */
  readonly logLevel?: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  /**
   * How many invocations may run at the same time. With buckets that notify the function directly, 5 or more keep a deploy from
   * taking all of the account's concurrency. @default no limit of its own
   */
  readonly reservedConcurrency?: number;
  /** The ARNs of the distributions that may be invalidated. @default ['*'], all of the account */
  readonly allowedDistributions?: string[];
  /** The distribution of events that name none (pipelines, direct invocations, the Test button). @default none */
  readonly distributionId?: string;
  /** The bucket tag that names the distribution. @default 'distributionId' */
  readonly distributionTag?: string;
  /**
   * The account that must own the buckets, or `any`. With an account the invalidator's own buckets are neither read nor let in: make
   * another for them. With `any` buckets of every account may be read, and only those of the invalidator's own may send.
   * @default the function's own
   */
  readonly expectedBucketOwner?: string;
  /** Whether the function reads how distributions are set, to tell which URLs an object has. @default 'auto' */
  readonly distributionSettings?: 'auto' | 'off';
  /** Whether the function lists buckets where that saves paths or evictions. @default 'auto' */
  readonly inventory?: 'auto' | 'off';
  /** Whether the function may answer CodePipeline. @default true */
  readonly pipelines?: boolean;
  /** Whether the function may invalidate distribution tenants. @default false */
  readonly tenants?: boolean;
  /** The most paths of one invalidation. @default 30 */
  readonly maxPaths?: number;
  /** The most wildcards of one invalidation (CloudFront's limit is 15). @default 7 */
  readonly maxWildcards?: number;
  /** Names of files that are also served as their directory, separated by spaces, or empty for none. @default 'index.html' */
  readonly indexDocuments?: string;
  /** How long messages are gathered, in seconds (0 to 300). Longer is cheaper, shorter is fresher. @default 60 */
  readonly batchingWindowSeconds?: number;
  /** Whether the function only plans and logs, and sends nothing. @default false */
  readonly dryRun?: boolean;
  /** Names of buckets whose EventBridge events go to the queue, besides those that are watched so. @default none */
  readonly eventBridgeBuckets?: string[];
  /** Whether the function writes metrics. Nine, which are free if they are among the account's first ten. @default 'on' */
  readonly metrics?: 'on' | 'off';
  /** Whether four alarms and a metric of stale answers are made (0.70 USD a month in all). @default false */
  readonly alarms?: boolean;
  /** The topic that alarms are sent to. @default none */
  readonly alarmTopic?: ITopic;
  /** Whether a dashboard is made (3 USD a month beyond the account's first three). @default false */
  readonly dashboard?: boolean;
}

/** Says what is wrong while the app is made, and not when it is deployed. What is known then only is not looked at. */
export function check(props: S3CloudFrontInvalidatorProps): void {
  within('memorySize', props.memorySize, 128, 10240);
  within('reservedConcurrency', props.reservedConcurrency, 5, 9999);
  within('maxPaths', props.maxPaths, 1, 3000);
  within('maxWildcards', props.maxWildcards, 1, 15);
  within('batchingWindowSeconds', props.batchingWindowSeconds, 0, 300);
  if (props.allowedDistributions?.length === 0) {
    throw new Error("allowedDistributions is empty: name one distribution's ARN at least, or '*'");
  }
  for (const name of Object.keys(FORMS) as (keyof typeof FORMS)[]) like(name, props[name]);
}

/** How texts look: the patterns of the template's parameters, and what is said of others. */
const FORMS = {
  distributionId: [
    /^([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})$/,
    'the id of a distribution (such as E2EXAMPLE1ABCD) or of a tenant (dt_...)',
  ],
  // What S3 takes as a tag's key, without the letters of other scripts. Source: S3 user guide, "Using cost allocation S3 bucket tags".
  distributionTag: [
    /^[A-Za-z0-9_.:/=+@-]([A-Za-z0-9 _.:/=+@-]{0,126}[A-Za-z0-9_.:/=+@-])?$/,
    "a tag's key, of 1 to 128 letters from A to Z, digits, _.:/=+-@ and spaces between",
  ],
  expectedBucketOwner: [/^([0-9]{12}|any)$/, "an account's id (12 digits) or any"],
  indexDocuments: [/^[^/,]*$/, 'names of files, separated by spaces, without / and commas'],
} as const;

/** Says so if a text does not look as it must. */
export function like(name: keyof typeof FORMS, value: string | undefined): void {
  const [form, said] = FORMS[name];
  if (value === undefined || Token.isUnresolved(value)) return;
  if (!form.test(value)) throw new Error(`${name}="${value}" is not ${said}`);
}

export function within(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || Token.isUnresolved(value)) return;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name}=${value} is not a number from ${least} to ${most}`);
  }
}
