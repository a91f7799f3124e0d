import type { IManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Token } from 'aws-cdk-lib';

/** The default key of the bucket tag that names the distributions. */
export const DEFAULT_TAG = 'distributionId';

/** The values that `pollIntervalMinutes` allows. TypeScript checks literals only. */
const POLL_INTERVALS: number[] = [1, 2, 3, 4, 5, 10, 15, 20, 30, 60];

/** The properties of a deployment. Names and defaults are those of the CloudFormation template's parameters. */
export interface S3CloudFrontInvalidatorProps {
  /** The function's zip, built by `scripts/package`: `Code.fromAsset('function.zip')`. */
  readonly code: Code;
  /** The instruction set architecture that the zip was built for. @default Architecture.X86_64 */
  readonly architecture?: Architecture;
  /** The function's memory in MB. Lambda allocates CPU in proportion to it. @default 256 */
  readonly memorySize?: number;
  /**
   * The function's reserved concurrency (5 or more). Set it if S3 invokes the function directly, so that a large upload does not use
   * all of the account's concurrency. If the function cannot keep up for a long time, Lambda may delete events that wait for it
   * without sending them; messages in the queue are not affected. An account with a concurrency of 10 cannot reserve any.
   * @default none
   */
  readonly reservedConcurrency?: number;
  /**
   * The lowest level that the function logs. Invocations without failures are logged at INFO. The metric StaleCacheUsed counts log
   * lines at WARN. Metrics are written at every level. @default 'INFO'
   */
  readonly logLevel?: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  /** How long CloudWatch Logs keeps the function's log. @default RetentionDays.ONE_MONTH */
  readonly logRetentionDays?: RetentionDays;
  /** The key of the bucket tag that names the distributions. @default 'distributionId' */
  readonly distributionTag?: string;
  /**
   * The default distribution, for events that name none (CodePipeline jobs, direct invocations, schedules, the console's test
   * events). It does not apply to changes of objects. @default none
   */
  readonly distributionId?: string;
  /** File names that are also served at the URL of their directory, separated by spaces. Empty for none. @default 'index.html' */
  readonly indexDocuments?: string;
  /** Whether the function plans and logs invalidations without creating them. @default false */
  readonly dryRun?: boolean;
  /** The ARNs of the distributions that the function may invalidate. @default ['*'], all distributions of the account */
  readonly allowedDistributions?: string[];
  /**
   * The ID of the account that must own the buckets, or `any` for every account. With the ID of another account, the function does
   * not accept buckets of the stack's own account; deploy a separate invalidator for them. With `any`, the function may read buckets
   * of every account, but only buckets of the stack's own account may send events.
   * @default the stack's own account
   */
  readonly expectedBucketOwner?: string;
  /** Whether the function reads distribution configs to find the URLs of an object. @default 'auto' */
  readonly distributionConfig?: 'auto' | 'off';
  /** Whether the function lists buckets where that saves paths or avoids evictions of unchanged objects. @default 'auto' */
  readonly bucketListing?: 'auto' | 'off';
  /** Whether the function may report results to CodePipeline. @default true */
  readonly pipelines?: boolean;
  /** Whether the function may invalidate distribution tenants. @default false */
  readonly tenants?: boolean;
  /** The permissions boundary of the roles, except that of the CDK's function for bucket notifications. @default none */
  readonly permissionsBoundary?: IManagedPolicy;
  /** The path of the same roles. @default '/' */
  readonly rolePath?: string;
  /**
   * The KMS key that encrypts the queues, the log groups and the environment variables. The construct allows S3, EventBridge and
   * CloudWatch Logs to use a key of the app; the policy of an imported key must do so already. @default encryption without a key of
   * your own
   */
  readonly encryptionKey?: IKey;
  /** The maximum number of paths in one invalidation. @default 30 */
  readonly maxPaths?: number;
  /** The maximum number of wildcards in one invalidation. CloudFront's quota is 15. @default 7 */
  readonly maxWildcards?: number;
  /**
   * How many URLs of unchanged objects the function may evict to save one path. Applies where a bucket listing counts them.
   * @default 0
   */
  readonly evictionsPerPath?: number;
  /** The maximum number of ListObjectsV2 requests per invocation. Each request returns up to 1,000 keys. @default 60 */
  readonly listingMaxRequests?: number;
  /** How long the function caches bucket tags and distribution configs, in seconds. @default 300 */
  readonly cacheTtlSeconds?: number;
  /**
   * How long the function caches that a bucket does not have the tag, or that access to a distribution config is denied, in seconds.
   * @default 60
   */
  readonly negativeCacheTtlSeconds?: number;
  /**
   * The maximum age of stale bucket tags and distribution configs that the function uses if AWS returns an error, in seconds.
   * @default 3600
   */
  readonly staleIfErrorSeconds?: number;
  /**
   * The maximum delay before the first retry of CreateInvalidation, in milliseconds. It doubles with each further retry, up to 20
   * seconds. @default 2000
   */
  readonly retryBaseDelayMs?: number;
  /**
   * How long the function retries changes that S3, SNS or EventBridge send to it directly, within one invocation, in seconds.
   * Applies only without QUEUE_URL. This construct always sets QUEUE_URL, so the function sends such changes to the queue instead.
   * @default 10
   */
  readonly directRetrySeconds?: number;
  /**
   * Whether buckets send their events to this deployment. If false, it handles only CodePipeline jobs, direct invocations and
   * schedules; it has no queues, no schedule, no alarms and no permission to read buckets and distribution configs. @default true
   */
  readonly buckets?: boolean;
  /**
   * How often the function polls the queue, in minutes. A longer interval costs less; a shorter one invalidates sooner. @default 1
   */
  readonly pollIntervalMinutes?: 1 | 2 | 3 | 4 | 5 | 10 | 15 | 20 | 30 | 60;
  /**
   * The names of buckets whose EventBridge events go to the queue, in addition to those linked via `eventbridge`, or `['*']` for all
   * buckets of the account (`expectedBucketOwner`). @default none
   */
  readonly eventBridgeBuckets?: string[];
  /** Whether the function writes its ten metrics. An account's first ten custom metrics are free. @default 'on' */
  readonly metrics?: 'on' | 'off';
  /**
   * Whether to create the alarm on the age of the oldest message in the queue (0.10 USD a month). Without it, nothing reports that
   * the queue is not polled. @default true
   */
  readonly alarmOnQueueAge?: boolean;
  /** Whether to create four more alarms and the metric StaleCacheUsed (0.70 USD a month in all). @default false */
  readonly alarms?: boolean;
  /**
   * The number of paths in a day above which an alarm reports the cost, with `alarms` and `metrics`. CloudFront bills 2,000 paths
   * with 10 USD. @default 2000
   */
  readonly pathsAlarmThreshold?: number;
  /** The SNS topic that the alarms notify. @default none */
  readonly alarmTopic?: ITopic;
  /** Whether to create a dashboard (3 USD a month beyond the account's first three dashboards). @default false */
  readonly dashboard?: boolean;
}

/** Reports invalid values at synthesis instead of at deployment. Unresolved tokens are not checked. */
export function checkProps(props: S3CloudFrontInvalidatorProps): void {
  checkRange('memorySize', props.memorySize, 128, 10240);
  checkRange('reservedConcurrency', props.reservedConcurrency, 5, 9999);
  checkRange('maxPaths', props.maxPaths, 1, 3000);
  checkRange('maxWildcards', props.maxWildcards, 1, 15);
  checkRange('evictionsPerPath', props.evictionsPerPath, 0, 1000000);
  checkRange('listingMaxRequests', props.listingMaxRequests, 1, 300);
  checkRange('cacheTtlSeconds', props.cacheTtlSeconds, 0, 86400);
  checkRange('negativeCacheTtlSeconds', props.negativeCacheTtlSeconds, 0, 86400);
  checkRange('staleIfErrorSeconds', props.staleIfErrorSeconds, 0, 86400);
  checkRange('retryBaseDelayMs', props.retryBaseDelayMs, 1, 60000);
  checkRange('directRetrySeconds', props.directRetrySeconds, 0, 900);
  checkRange('pathsAlarmThreshold', props.pathsAlarmThreshold, 1, 1000000);
  const interval = props.pollIntervalMinutes;
  if (interval !== undefined && !Token.isUnresolved(interval) && !POLL_INTERVALS.includes(interval)) {
    throw new Error(`pollIntervalMinutes=${interval} is not one of ${POLL_INTERVALS.join(', ')}`);
  }
  if (props.buckets === false && (props.alarms || props.dashboard || props.eventBridgeBuckets?.length)) {
    throw new Error('alarms, dashboard and eventBridgeBuckets require buckets');
  }
  if (props.allowedDistributions?.length === 0) {
    throw new Error("allowedDistributions is empty: add at least one distribution ARN, or '*'");
  }
  for (const name of Object.keys(PATTERNS) as (keyof typeof PATTERNS)[]) checkPattern(name, props[name]);
}

/** The patterns of the template's parameters, each with a description for error messages. */
const PATTERNS = {
  distributionId: [
    /^([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})$/,
    'the ID of a distribution (such as E2EXAMPLE1ABCD) or of a distribution tenant (dt_...)',
  ],
  // The characters that S3 allows in a tag key, with ASCII letters only.
  // Source: S3 user guide, "Using cost allocation S3 bucket tags".
  distributionTag: [
    /^[A-Za-z0-9_.:/=+@-]([A-Za-z0-9 _.:/=+@-]{0,126}[A-Za-z0-9_.:/=+@-])?$/,
    'a tag key of 1 to 128 letters (A to Z), digits, _.:/=+-@ and spaces, without a space at either end',
  ],
  expectedBucketOwner: [/^([0-9]{12}|any)$/, 'an account ID (12 digits) or any'],
  rolePath: [/^\/([!-~]{1,510}\/)?$/, 'a path that begins and ends with a slash, such as /service/'],
  indexDocuments: [/^[^/,]*$/, 'a list of file names separated by spaces, without / and commas'],
} as const;

/** Throws an error if the value does not match the pattern of the property. */
export function checkPattern(name: keyof typeof PATTERNS, value: string | undefined): void {
  const [pattern, expected] = PATTERNS[name];
  if (value === undefined || Token.isUnresolved(value)) return;
  if (!pattern.test(value)) throw new Error(`${name}="${value}" is not ${expected}`);
}

/** Throws an error if the value is not an integer from `min` to `max`. */
export function checkRange(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || Token.isUnresolved(value)) return;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new Error(`${name}=${value} is not an integer from ${min} to ${max}`);
  }
}
