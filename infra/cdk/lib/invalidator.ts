import { Duration, Lazy, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct, type IDependable } from 'constructs';
import { InvalidatorBase, type InvalidatorAttributes, type PipelineActionProps } from './base';
import { addAlarms, addDashboard } from './monitoring';
import { rolePolicy, sourceAccount } from './permissions';
import { checkPattern, checkProps, DEFAULT_TAG, type S3CloudFrontInvalidatorProps } from './props';

const TIMEOUT = Duration.seconds(60);

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
  public readonly queue: sqs.Queue;
  public readonly deadLetterQueue: sqs.Queue;
  /** Empty, unless `alarms` is true. */
  public readonly alarms: Alarm[];

  protected readonly lambdaFunction: lambda.IFunction;
  protected readonly notificationDependencies: IDependable[];
  protected readonly distributionTag: string;
  protected readonly owner: string | undefined;
  private readonly eventBridgeBuckets: string[] = [];
  private readonly pipelines: boolean;

  public constructor(scope: Construct, id: string, props: S3CloudFrontInvalidatorProps) {
    super(scope, id);
    checkProps(props);
    const stack = Stack.of(this);
    this.distributionTag = props.distributionTag ?? DEFAULT_TAG;
    this.owner = props.expectedBucketOwner;
    const window = props.batchingWindowSeconds ?? 60;

    this.logGroup = new logs.LogGroup(this, 'LogGroup', {
      retention: props.logRetentionDays ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.deadLetterQueue = new sqs.Queue(this, 'DeadLetterQueue', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      retentionPeriod: Duration.days(14),
    });
    this.queue = new sqs.Queue(this, 'Queue', {
      // S3 cannot send to a queue that is encrypted with the AWS managed KMS key for SQS.
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      retentionPeriod: Duration.days(4),
      // Six times the function's timeout, plus the batching window. Source: Lambda developer guide, "Using Lambda with Amazon SQS".
      visibilityTimeout: Duration.seconds(6 * TIMEOUT.toSeconds() + window),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: 5 },
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { invalidator: rolePolicy(stack, props, this) },
    });
    this.function = new lambda.Function(this, 'Function', {
      description: 'Invalidates CloudFront automatically when S3 objects change',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: props.architecture ?? lambda.Architecture.X86_64,
      code: props.code,
      memorySize: props.memorySize ?? 256,
      timeout: TIMEOUT,
      reservedConcurrentExecutions: props.reservedConcurrency,
      // The role's policy is complete. The statements that other constructs would add are wider.
      role: this.role.withoutPolicyUpdates(),
      // After three failed attempts, Lambda sends the unchanged event here, so that it can be redriven.
      deadLetterQueue: this.deadLetterQueue,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: lambda.ApplicationLogLevel[props.logLevel ?? 'INFO'],
      logGroup: this.logGroup,
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
        ...(props.expectedBucketOwner !== undefined && { EXPECTED_BUCKET_OWNER: props.expectedBucketOwner }),
        ...(props.distributionId !== undefined && { DISTRIBUTION_ID: props.distributionId }),
      },
    });
    this.lambdaFunction = this.function;
    this.pipelines = props.pipelines ?? true;

    const eventSourceMapping = new lambda.EventSourceMapping(this, 'EventSourceMapping', {
      target: this.function,
      eventSourceArn: this.queue.queueArn,
      // A batch size above 10 requires a batching window. Source: Lambda API reference, CreateEventSourceMapping.
      batchSize: window === 0 ? 10 : 10_000,
      maxBatchingWindow: Duration.seconds(window),
      // Without this, Lambda deletes the messages that the function reports as batch item failures.
      reportBatchItemFailures: true,
      // Each batch creates an invalidation for each distribution. Fewer concurrent batches need fewer paths.
      maxConcurrency: 2,
    });
    eventSourceMapping.node.addDependency(this.role);

    const account = sourceAccount(stack, props);
    const buckets = `arn:${stack.partition}:s3:::*`;
    const s3 = new iam.ServicePrincipal('s3.amazonaws.com');
    this.function.addPermission('S3InvokePermission', { principal: s3, sourceAccount: account, sourceArn: buckets });
    const queuePolicy = this.queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'S3SendMessage',
        principals: [s3],
        actions: ['sqs:SendMessage'],
        resources: [this.queue.queueArn],
        conditions: { StringEquals: { 'aws:SourceAccount': account }, ArnLike: { 'aws:SourceArn': buckets } },
      }),
    );
    this.notificationDependencies = [this.function.node.findChild('S3InvokePermission'), queuePolicy.policyDependable!];

    for (const name of props.eventBridgeBuckets ?? []) this.addToEventBridgeRule(name);
    this.alarms = (props.alarms ?? false) ? addAlarms(this, this, props.metrics ?? 'on', props.alarmTopic) : [];
    if (props.dashboard ?? false) addDashboard(this, this);
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
    return this.queue.queueArn;
  }
  public get queueUrl(): string {
    return this.queue.queueUrl;
  }
  /** The queue for changes that failed permanently. */
  public get deadLetterQueueArn(): string {
    return this.deadLetterQueue.queueArn;
  }
  public get roleArn(): string {
    return this.role.roleArn;
  }

  public override pipelineAction(props: PipelineActionProps) {
    if (!this.pipelines) throw new Error(`${this.node.path} may not report results to CodePipeline: pipelines is false`);
    return super.pipelineAction(props);
  }

  protected addEventBridgeBucket(bucket: IBucket): void {
    this.addToEventBridgeRule(bucket.bucketName);
  }

  private addToEventBridgeRule(name: string): void {
    this.eventBridgeBuckets.push(name);
    if (this.node.tryFindChild('EventBridgeRule')) return;
    const rule = new events.CfnRule(this, 'EventBridgeRule', {
      description: 'Sends S3 object changes to the CloudFront invalidator',
      eventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created', 'Object Deleted'],
        detail: { bucket: { name: Lazy.list({ produce: () => this.eventBridgeBuckets }) } },
      },
      targets: [{ id: 'queue', arn: this.queue.queueArn }],
    });
    this.queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'EventBridgeSendMessage',
        principals: [new iam.ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.queue.queueArn],
        conditions: { ArnEquals: { 'aws:SourceArn': rule.attrArn } },
      }),
    );
  }
}

class ImportedInvalidator extends InvalidatorBase {
  public readonly functionArn: string;
  public readonly queueArn: string;
  protected readonly lambdaFunction: lambda.IFunction;
  protected readonly notificationDependencies: IDependable[] = [];
  protected readonly distributionTag: string;
  protected readonly owner = undefined;

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
