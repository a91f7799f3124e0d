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
import { addAlarms, addDashboard } from './observability';
import { permissions, senders } from './permissions';
import { check, DEFAULT_TAG, like, type S3CloudFrontInvalidatorProps } from './props';

const TIMEOUT = Duration.seconds(60);

/**
 * One function for all buckets of the Region, with a queue for the buckets' notifications: what
 * infra/cloudformation/template.yaml makes, which a test holds it to.
 */
export class S3CloudFrontInvalidator extends InvalidatorBase {
  /** A deployment that is there already, by whichever tool: to watch buckets of other apps. */
  public static fromAttributes(scope: Construct, id: string, attributes: InvalidatorAttributes): InvalidatorBase {
    return new Imported(scope, id, attributes);
  }

  public readonly function: lambda.Function;
  public readonly role: iam.Role;
  public readonly logGroup: logs.LogGroup;
  public readonly queue: sqs.Queue;
  public readonly deadLetterQueue: sqs.Queue;
  /** Empty, unless alarms are asked for. */
  public readonly alarms: Alarm[];

  protected readonly invoked: lambda.IFunction;
  protected readonly callable: IDependable[];
  protected readonly distributionTag: string;
  protected readonly owner: string | undefined;
  private readonly eventBridgeBuckets: string[];
  private readonly pipelines: boolean;

  public constructor(scope: Construct, id: string, props: S3CloudFrontInvalidatorProps) {
    super(scope, id);
    check(props);
    const stack = Stack.of(this);
    this.distributionTag = props.distributionTag ?? DEFAULT_TAG;
    this.owner = props.expectedBucketOwner;
    const window = props.batchingWindowSeconds ?? 60;

    this.logGroup = new logs.LogGroup(this, 'LogGroup', {
      retention: props.logRetentionDays ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.deadLetterQueue = new sqs.Queue(this, 'DeadLetters', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      retentionPeriod: Duration.days(14),
    });
    this.queue = new sqs.Queue(this, 'Queue', {
      // S3 cannot write to a queue that is encrypted with SQS's key in KMS.
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      retentionPeriod: Duration.days(4),
      // Six times the function's timeout, and the window. Source: Lambda developer guide, "Using Lambda with Amazon SQS".
      visibilityTimeout: Duration.seconds(6 * TIMEOUT.toSeconds() + window),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: 5 },
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { invalidator: permissions(stack, props, this) },
    });
    this.function = new lambda.Function(this, 'Function', {
      description: 'Keeps CloudFront fresh when S3 changes',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: props.architecture ?? lambda.Architecture.X86_64,
      code: props.code,
      memorySize: props.memorySize ?? 256,
      timeout: TIMEOUT,
      reservedConcurrentExecutions: props.reservedConcurrency,
      // All that it may do is said above; what constructs would add on their own is wider.
      role: this.role.withoutPolicyUpdates(),
      // What fails three times is kept as it came, so that it can be sent again as it is.
      deadLetterQueue: this.deadLetterQueue,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: lambda.ApplicationLogLevel[props.logLevel ?? 'INFO'],
      logGroup: this.logGroup,
      environment: {
        DISTRIBUTION_SETTINGS: props.distributionSettings ?? 'auto',
        DISTRIBUTION_TAG: this.distributionTag,
        DRY_RUN: String(props.dryRun ?? false),
        INDEX_DOCUMENTS: props.indexDocuments ?? 'index.html',
        INVENTORY: props.inventory ?? 'auto',
        MAX_PATHS: String(props.maxPaths ?? 30),
        MAX_WILDCARDS: String(props.maxWildcards ?? 7),
        METRICS: props.metrics ?? 'on',
        ...(props.expectedBucketOwner !== undefined && { EXPECTED_BUCKET_OWNER: props.expectedBucketOwner }),
        ...(props.distributionId !== undefined && { DISTRIBUTION_ID: props.distributionId }),
      },
    });
    this.invoked = this.function;
    this.pipelines = props.pipelines ?? true;

    const eventSource = new lambda.EventSourceMapping(this, 'EventSource', {
      target: this.function,
      eventSourceArn: this.queue.queueArn,
      // More than ten only where there is a window. Source: Lambda API reference, CreateEventSourceMapping.
      batchSize: window === 0 ? 10 : 10_000,
      maxBatchingWindow: Duration.seconds(window),
      // Without it Lambda deletes the messages that the function says have failed.
      reportBatchItemFailures: true,
      // Each batch is an invalidation for each distribution: the fewer at a time, the fewer paths.
      maxConcurrency: 2,
    });
    eventSource.node.addDependency(this.role);

    const account = senders(stack, props);
    const buckets = `arn:${stack.partition}:s3:::*`;
    const s3 = new iam.ServicePrincipal('s3.amazonaws.com');
    this.function.addPermission('BucketsMayInvoke', { principal: s3, sourceAccount: account, sourceArn: buckets });
    const written = this.queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'BucketsOfOneAccount',
        principals: [s3],
        actions: ['sqs:SendMessage'],
        resources: [this.queue.queueArn],
        conditions: { StringEquals: { 'aws:SourceAccount': account }, ArnLike: { 'aws:SourceArn': buckets } },
      }),
    );
    this.callable = [this.function.node.findChild('BucketsMayInvoke'), written.policyDependable!];

    this.eventBridgeBuckets = [];
    for (const name of props.eventBridgeBuckets ?? []) this.listenTo(name);
    this.alarms = (props.alarms ?? false) ? addAlarms(this, this, props.metrics ?? 'on', props.alarmTopic) : [];
    if (props.dashboard ?? false) addDashboard(this, this);
  }

  /** For buckets' notifications, pipelines and direct invocations. */
  public get functionArn(): string {
    return this.function.functionArn;
  }
  /** For pipelines. */
  public get functionName(): string {
    return this.function.functionName;
  }
  /** For buckets' notifications. */
  public get queueArn(): string {
    return this.queue.queueArn;
  }
  public get queueUrl(): string {
    return this.queue.queueUrl;
  }
  /** Where changes end that failed for good. */
  public get deadLetterQueueArn(): string {
    return this.deadLetterQueue.queueArn;
  }
  public get roleArn(): string {
    return this.role.roleArn;
  }

  public override pipelineAction(props: PipelineActionProps) {
    if (!this.pipelines) throw new Error(`${this.node.path} may not answer CodePipeline: pipelines is false`);
    return super.pipelineAction(props);
  }

  protected listen(bucket: IBucket): void {
    this.listenTo(bucket.bucketName);
  }

  private listenTo(name: string): void {
    this.eventBridgeBuckets.push(name);
    if (this.node.tryFindChild('EventBridgeRule')) return;
    const rule = new events.CfnRule(this, 'EventBridgeRule', {
      description: 'Changes of objects for the invalidation of CloudFront',
      eventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created', 'Object Deleted'],
        detail: { bucket: { name: Lazy.list({ produce: () => this.eventBridgeBuckets }) } },
      },
      targets: [{ id: 'queue', arn: this.queue.queueArn }],
    });
    this.queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'EventBridge',
        principals: [new iam.ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.queue.queueArn],
        conditions: { ArnEquals: { 'aws:SourceArn': rule.attrArn } },
      }),
    );
  }
}

class Imported extends InvalidatorBase {
  public readonly functionArn: string;
  public readonly queueArn: string;
  protected readonly invoked: lambda.IFunction;
  protected readonly callable: IDependable[] = [];
  protected readonly distributionTag: string;
  protected readonly owner = undefined;

  public constructor(scope: Construct, id: string, attributes: InvalidatorAttributes) {
    super(scope, id);
    this.functionArn = attributes.functionArn;
    this.queueArn = attributes.queueArn;
    like('distributionTag', attributes.distributionTag);
    this.distributionTag = attributes.distributionTag ?? DEFAULT_TAG;
    const { functionArn } = attributes;
    this.invoked = lambda.Function.fromFunctionAttributes(this, 'Function', { functionArn, sameEnvironment: true });
  }

  protected listen(bucket: IBucket): void {
    const name = Token.isUnresolved(bucket.bucketName) ? bucket.node.path : bucket.bucketName;
    throw new Error(`${name}: its deployment must name it in eventBridgeBuckets; then tag it by hand, or use the queue here`);
  }
}
