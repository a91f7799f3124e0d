import type { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Token } from 'aws-cdk-lib';

/** What a deployment can be given. Names and defaults are those of the CloudFormation template's parameters. */
export interface S3CloudFrontInvalidatorProps {
  /** The function's zip, as `scripts/package` makes it: `Code.fromAsset('function.zip')`. */
  readonly code: Code;
  /** What the function is built for. @default Architecture.X86_64 */
  readonly architecture?: Architecture;
  /** The function's memory in MB, of which its share of processor time follows. @default 256 */
  readonly memorySize?: number;
  /** How long the function's log is kept. @default RetentionDays.ONE_MONTH */
  readonly logRetentionDays?: RetentionDays;
  /**
   * How many invocations may run at the same time. With buckets that notify the function directly, 5 or more keep a deploy from
   * taking all of the account's concurrency. @default no limit of its own
   */
  readonly reservedConcurrency?: number;
  /** The ARNs of the distributions that may be invalidated. @default ['*'], all of the account */
  readonly allowedDistributions?: string[];
  /** The distribution of events that name none (pipelines, direct invocations, the Test button). @default none */
  readonly distributionId?: string;
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
  /** The most wildcards among them. @default 7 */
  readonly maxWildcards?: number;
  /** How long messages are gathered, in seconds (0 to 300). Longer is cheaper, shorter is fresher. @default 60 */
  readonly batchingWindowSeconds?: number;
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
  const id = props.distributionId;
  if (id !== undefined && !Token.isUnresolved(id) && !/^([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})$/.test(id)) {
    throw new Error(`distributionId="${id}" is the id of neither a distribution nor a tenant`);
  }
}

export function within(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || Token.isUnresolved(value)) return;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name}=${value} is not a number from ${least} to ${most}`);
  }
}
