import { Duration, Lazy, Names, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct, type IDependable } from 'constructs';
import { InvalidatorBase, type InvalidatorAttributes, type PipelineActionProps } from './base';
import type { TagSetterProps } from './bucket-tags';
import { addAlarms, addDashboard } from './monitoring';
import { allowServices, rolePolicy, sourceAccount } from './permissions';
import { checkPattern, checkProps, DEFAULT_TAG, type S3CloudFrontInvalidatorProps } from './props';

/** The most characters of the names of EventBridge buckets, separated by commas. */
const MAX_EVENT_BRIDGE_BUCKETS = 1270;

/**
 * Invalidates CloudFront automatically when S3 objects change. One function and one queue serve all buckets of the Region.
 *
 * The construct creates the same resources as infra/cloudformation/template.yaml. tests/infra/equality.py compares both.
 */
export class S3CloudFrontInvalidator extends InvalidatorBase {
  /** Imports an existing deployment, created by any tool, to link buckets of other apps to it. */
  public static fromAttributes(scope: Construct, id: string, attributes: InvalidatorAttributes): InvalidatorBase {
    return new ImportedInvalidator(scope, id, attributes);
  }

  public readonly function: lambda.Function;
  public readonly role: iam.Role;
  public readonly logGroup: logs.LogGroup;
  /** The queue to which buckets send their events, unless `buckets` is false. */
  public readonly queue?: sqs.Queue;
  /** The queue for changes that failed permanently, unless `buckets` is false. */
  public readonly deadLetterQueue?: sqs.Queue;
  /** Invokes the function to poll the queue, unless `buckets` is false. */
  public readonly schedule?: CfnSchedule;
  /** The alarm on the age of the oldest message, unless `alarmOnQueueAge` is false, and those of `alarms`. */
  public readonly alarms: Alarm[];

  /** The version of the function, and of this package. */
  public readonly version: string = require('../../package.json').version;

  protected readonly lambdaFunction: lambda.IFunction;
  protected readonly notificationDependencies: IDependable[];
  protected readonly distributionTag: string;
  protected readonly owner: string | undefined;
  protected readonly tagSetter: TagSetterProps;
  private readonly eventBridgeBuckets: string[] = [];
  private readonly pipelines: boolean;
  /** The account whose buckets may send events. */
  private readonly bucketOwner: string;

  public constructor(scope: Construct, id: string, props: S3CloudFrontInvalidatorProps) {
    super(scope, id);
    checkProps(props);
    const stack = Stack.of(this);
    this.distributionTag = props.distributionTag ?? DEFAULT_TAG;
    this.owner = props.expectedBucketOwner;
    this.bucketOwner = sourceAccount(stack, props);

    this.logGroup = new logs.LogGroup(this, 'LogGroup', {
      retention: props.logRetentionDays ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
      encryptionKey: props.encryptionKey,
    });
    if (props.encryptionKey) allowServices(stack, props.encryptionKey);
    const queues = (props.buckets ?? true) ? this.addQueues(props.encryptionKey) : undefined;
    this.queue = queues?.queue;
    this.deadLetterQueue = queues?.deadLetterQueue;
    const roleProps = { path: props.rolePath ?? '/', permissionsBoundary: props.permissionsBoundary };
    this.tagSetter = { roleProps, encryptionKey: props.encryptionKey };
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { invalidator: rolePolicy(stack, props, this) },
      ...roleProps,
    });
    this.function = new lambda.Function(this, 'Function', {
      description: 'Invalidates CloudFront automatically when S3 objects change',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: props.architecture ?? lambda.Architecture.X86_64,
      code: props.code,
      memorySize: props.memorySize ?? 256,
      timeout: Duration.seconds(60),
      reservedConcurrentExecutions: props.reservedConcurrency,
      // The role's policy is complete. The statements that other constructs would add are wider.
      role: this.role.withoutPolicyUpdates(),
      // After three failed attempts, Lambda sends the unchanged event here, so that it can be redriven.
      deadLetterQueue: this.deadLetterQueue,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: lambda.ApplicationLogLevel[props.logLevel ?? 'INFO'],
      logGroup: this.logGroup,
      environmentEncryption: props.encryptionKey,
      environment: {
        BUCKET_LISTING: props.bucketListing ?? 'auto',
        CACHE_TTL_SECONDS: String(props.cacheTtlSeconds ?? 300),
        DIRECT_RETRY_SECONDS: String(props.directRetrySeconds ?? 10),
        DISTRIBUTION_CONFIG: props.distributionConfig ?? 'auto',
        DISTRIBUTION_TAG: this.distributionTag,
        DRY_RUN: String(props.dryRun ?? false),
        EVICTIONS_PER_PATH: String(props.evictionsPerPath ?? 0),
        INDEX_DOCUMENTS: props.indexDocuments ?? 'index.html',
        LISTING_MAX_REQUESTS: String(props.listingMaxRequests ?? 60),
        MAX_PATHS: String(props.maxPaths ?? 30),
        MAX_WILDCARDS: String(props.maxWildcards ?? 7),
        METRICS: props.metrics ?? 'on',
        NEGATIVE_CACHE_TTL_SECONDS: String(props.negativeCacheTtlSeconds ?? 60),
        RETRY_BASE_DELAY_MS: String(props.retryBaseDelayMs ?? 2000),
        STALE_IF_ERROR_SECONDS: String(props.staleIfErrorSeconds ?? 3600),
        ...(queues && { QUEUE_URL: queues.queue.queueUrl }),
        VERSION: this.version,
        ...(props.expectedBucketOwner !== undefined && { EXPECTED_BUCKET_OWNER: props.expectedBucketOwner }),
        ...(props.distributionId !== undefined && { DISTRIBUTION_ID: props.distributionId }),
      },
    });
    this.lambdaFunction = this.function;
    this.pipelines = props.pipelines ?? true;

    if (!queues) {
      this.notificationDependencies = [];
      this.alarms = [];
      return;
    }
    this.schedule = this.addSchedule(props.pollIntervalMinutes ?? 1, roleProps);
    const buckets = `arn:${stack.partition}:s3:::*`;
    const s3 = new iam.ServicePrincipal('s3.amazonaws.com');
    this.function.addPermission('S3InvokePermission', { principal: s3, sourceAccount: this.bucketOwner, sourceArn: buckets });
    const queuePolicy = queues.queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'S3SendMessage',
        principals: [s3],
        actions: ['sqs:SendMessage'],
        resources: [queues.queue.queueArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.bucketOwner }, ArnLike: { 'aws:SourceArn': buckets } },
      }),
    );
    this.notificationDependencies = [this.function.node.findChild('S3InvokePermission'), queuePolicy.policyDependable!];

    for (const name of props.eventBridgeBuckets ?? []) this.addToEventBridgeRule(name, queues);
    const resources = { ...queues, function: this.function, logGroup: this.logGroup };
    this.alarms = addAlarms(this, resources, props);
    if (props.dashboard ?? false) addDashboard(this, resources);
  }

  /** For event notifications, pipelines and direct invocations. */
  public get functionArn(): string {
    return this.function.functionArn;
  }
  /** For pipelines. */
  public get functionName(): string {
    return this.function.functionName;
  }
  /** For event notifications. */
  public get queueArn(): string {
    return this.queues().queue.queueArn;
  }
  public get queueUrl(): string {
    return this.queues().queue.queueUrl;
  }
  /** The queue for changes that failed permanently. */
  public get deadLetterQueueArn(): string {
    return this.queues().deadLetterQueue.queueArn;
  }
  /** The name of the schedule that polls the queue. */
  public get scheduleName(): string | undefined {
    return this.schedule?.ref;
  }
  public get roleArn(): string {
    return this.role.roleArn;
  }

  public override pipelineAction(props: PipelineActionProps) {
    if (!this.pipelines) throw new Error(`${this.node.path} may not report results to CodePipeline: pipelines is false`);
    return super.pipelineAction(props);
  }

  /** The part of the rule's pattern that names buckets; without it, the pattern matches all buckets of the account. */
  private eventBridgeDetail(): unknown {
    const names = this.eventBridgeBuckets;
    if (names.includes('*')) return undefined;
    const known = names.filter((it) => !Token.isUnresolved(it)).join(',');
    // With more characters, the rule's pattern could exceed 2,048. Source: EventBridge user guide, "Quotas".
    if (known.length > MAX_EVENT_BRIDGE_BUCKETS) {
      const why = `the names of the EventBridge buckets have more than ${MAX_EVENT_BRIDGE_BUCKETS} characters`;
      throw new Error(`${this.node.path}: ${why}; use eventBridgeBuckets: ['*'] for all buckets of the account`);
    }
    return { bucket: { name: names } };
  }

  protected override checkBuckets(): void {
    this.queues();
  }

  protected addEventBridgeBucket(bucket: IBucket): void {
    this.addToEventBridgeRule(bucket.bucketName, this.queues());
  }

  private queues(): Queues {
    if (!this.queue || !this.deadLetterQueue) throw new Error(`${this.node.path} has no queue for the events of buckets: buckets is false`);
    return { queue: this.queue, deadLetterQueue: this.deadLetterQueue };
  }

  private addQueues(encryptionMasterKey: IKey | undefined): Queues {
    // S3 cannot send to a queue that is encrypted with the AWS managed KMS key for SQS.
    const encryption = encryptionMasterKey
      ? { encryption: sqs.QueueEncryption.KMS, encryptionMasterKey }
      : { encryption: sqs.QueueEncryption.SQS_MANAGED };
    const deadLetterQueue = new sqs.Queue(this, 'DeadLetterQueue', {
      ...encryption,
      retentionPeriod: Duration.days(14),
    });
    const queue = new sqs.Queue(this, 'Queue', {
      ...encryption,
      retentionPeriod: Duration.days(4),
      // Longer than the function's timeout of 60 s, so that a message does not return while its poll runs.
      visibilityTimeout: Duration.seconds(180),
      // With a poll every minute, a message that keeps failing gets here after half an hour.
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: 10 },
    });
    return { queue, deadLetterQueue };
  }

  /**
   * The function polls the queue itself. Lambda's event source mapping starts five pollers, which split a release of the site into
   * several batches, each with its own invalidations.
   */
  private addSchedule(interval: number, roleProps: Partial<iam.RoleProps>): CfnSchedule {
    return new CfnSchedule(this, 'Schedule', {
      description: 'Invokes the CloudFront invalidator to poll its queue',
      // Source: EventBridge Scheduler API reference, CreateSchedule.
      scheduleExpression: interval === 1 ? 'rate(1 minute)' : `rate(${interval} minutes)`,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.function.functionArn,
        roleArn: this.scheduleRole(roleProps).roleArn,
        // The function skips a poll that starts later than its interval after the scheduled time.
        input: JSON.stringify({ pollQueue: true, scheduledTime: '<aws.scheduler.scheduled-time>', intervalMinutes: interval }),
        // The next poll is the retry.
        retryPolicy: { maximumRetryAttempts: 0 },
      },
    });
  }

  /** The role with which EventBridge Scheduler invokes the function, and nothing else. */
  private scheduleRole(roleProps: Partial<iam.RoleProps>): iam.Role {
    const invoke = new iam.PolicyStatement({
      sid: 'InvokeFunction',
      actions: ['lambda:InvokeFunction'],
      resources: [this.function.functionArn],
    });
    return new iam.Role(this, 'ScheduleRole', {
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
      inlinePolicies: { schedule: new iam.PolicyDocument({ statements: [invoke] }) },
      ...roleProps,
    });
  }

  private addToEventBridgeRule(name: string, { queue, deadLetterQueue }: Queues): void {
    this.eventBridgeBuckets.push(name);
    if (this.node.tryFindChild('EventBridgeRule')) return;
    // Both policies name the rule.
    const ruleName = Names.uniqueResourceName(this, { maxLength: 64 });
    const rule = new events.CfnRule(this, 'EventBridgeRule', {
      name: ruleName,
      description: 'Sends S3 object changes to the CloudFront invalidator',
      eventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created', 'Object Deleted'],
        account: [this.bucketOwner],
        detail: Lazy.any({ produce: () => this.eventBridgeDetail() }),
      },
      // EventBridge sends an event to the dead-letter queue after 24 hours of retries, or at once if retries cannot help.
      targets: [{ id: 'queue', arn: queue.queueArn, deadLetterConfig: { arn: deadLetterQueue.queueArn } }],
    });
    const ruleArn = Stack.of(this).formatArn({ service: 'events', resource: 'rule', resourceName: ruleName });
    for (const [sid, it] of [['EventBridgeSendMessage', queue], ['EventBridgeSendDeadLetter', deadLetterQueue]] as const) {
      const policy = it.addToResourcePolicy(
        new iam.PolicyStatement({
          sid,
          principals: [new iam.ServicePrincipal('events.amazonaws.com')],
          actions: ['sqs:SendMessage'],
          resources: [it.queueArn],
          conditions: { ArnEquals: { 'aws:SourceArn': ruleArn } },
        }),
      );
      // EventBridge does not retry what the policy of a queue does not allow. Source: EventBridge user guide, "Using dead-letter queues
      // to process undelivered events".
      rule.node.addDependency(policy.policyDependable!);
    }
  }
}

interface Queues {
  readonly queue: sqs.Queue;
  readonly deadLetterQueue: sqs.Queue;
}

class ImportedInvalidator extends InvalidatorBase {
  public readonly functionArn: string;
  public readonly queueArn: string;
  protected readonly lambdaFunction: lambda.IFunction;
  protected readonly notificationDependencies: IDependable[] = [];
  protected readonly distributionTag: string;
  protected readonly owner = undefined;
  protected readonly tagSetter = {};

  public constructor(scope: Construct, id: string, attributes: InvalidatorAttributes) {
    super(scope, id);
    this.functionArn = attributes.functionArn;
    this.queueArn = attributes.queueArn;
    checkPattern('distributionTag', attributes.distributionTag);
    this.distributionTag = attributes.distributionTag ?? DEFAULT_TAG;
    const { functionArn } = attributes;
    this.lambdaFunction = lambda.Function.fromFunctionAttributes(this, 'Function', { functionArn, sameEnvironment: true });
  }

  protected addEventBridgeBucket(bucket: IBucket): void {
    const name = Token.isUnresolved(bucket.bucketName) ? bucket.node.path : bucket.bucketName;
    throw new Error(`${name}: add it to eventBridgeBuckets of the deployment and tag it manually, or use via "queue"`);
  }
}
