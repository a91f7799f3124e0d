import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** The namespace of the function's metrics and of the metric filter's metric. */
const NAMESPACE = 'S3CloudFrontInvalidator';

/** The resources that the alarms and the dashboard monitor. */
export interface MonitoredResources {
  readonly function: IFunction;
  readonly logGroup: ILogGroup;
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
}

/** Adds four alarms and the metric StaleCacheUsed. */
export function addAlarms(scope: Construct, resources: MonitoredResources, metrics: 'on' | 'off', topic?: ITopic): cloudwatch.Alarm[] {
  const period = Duration.minutes(5);
  const { queue, deadLetterQueue } = resources;
  const failed = new cloudwatch.Metric({
    namespace: NAMESPACE,
    metricName: 'ChangesFailed',
    dimensionsMap: { FunctionName: resources.function.functionName },
    period,
    statistic: 'Sum',
  });
  // ID, metric, evaluation periods, data points to alarm, threshold and description.
  const alarms: [string, cloudwatch.Metric, number, number | undefined, number, string][] = [
    [
      'DeadLetterQueueAlarm',
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' }),
      1,
      undefined,
      0,
      'The dead-letter queue contains changes that failed permanently. Correct the cause, then redrive the messages.',
    ],
    [
      'QueueAgeAlarm',
      queue.metricApproximateAgeOfOldestMessage({ period, statistic: 'Maximum' }),
      1,
      undefined,
      900,
      'Messages have waited in the queue for more than 15 minutes.',
    ],
    [
      'ErrorsAlarm',
      // Lambda's metric Errors does not count batch item failures. ChangesFailed does not count invocations that crash or time out:
      // these are retried, and reach the other alarms if they keep failing.
      metrics === 'on' ? failed : resources.function.metricErrors({ period, statistic: 'Sum' }),
      // A failed message is redelivered after its visibility timeout and the batching window, 8 minutes by default. The periods
      // in between have no data point, or a zero from other changes.
      6,
      3,
      0,
      'Changes fail, or invocations if metrics are off. Lambda and SQS retry them before they reach the dead-letter queue.',
    ],
    [
      'ThrottlesAlarm',
      resources.function.metricThrottles({ period, statistic: 'Sum' }),
      3,
      undefined,
      0,
      'Lambda throttles the function because no concurrency is available. ' +
        'Lambda retries events from S3 for up to 6 hours; messages stay in the queue.',
    ],
  ];
  // Counts how often the function used a stale cache entry because AWS returned an error.
  new MetricFilter(scope, 'StaleCacheUsed', {
    logGroup: resources.logGroup,
    filterPattern: FilterPattern.literal('{ $.level = "WARN" && $.message = "stale cache entry used*" }'),
    metricNamespace: NAMESPACE,
    metricName: 'StaleCacheUsed',
    metricValue: '1',
    unit: cloudwatch.Unit.COUNT,
  });
  return alarms.map(([id, metric, evaluationPeriods, datapointsToAlarm, threshold, description]) => {
    const alarm = new cloudwatch.Alarm(scope, id, {
      alarmDescription: `${description} See docs/operations.md.`,
      metric,
      evaluationPeriods,
      datapointsToAlarm,
      threshold,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    if (topic) alarm.addAlarmAction(new SnsAction(topic));
    return alarm;
  });
}

/** Adds the same dashboard as the CloudFormation template. The class `Dashboard` cannot produce the same JSON. */
export function addDashboard(scope: Construct, resources: MonitoredResources): cloudwatch.CfnDashboard {
  const stack = Stack.of(scope);
  const name = resources.function.functionName;
  const queue = resources.queue.queueName;
  const metric = (metricName: string, ...options: object[]) => [NAMESPACE, metricName, 'FunctionName', name, ...options];
  const widget = { type: 'metric', y: 0, width: 12, height: 6 };
  const common = { region: stack.region, period: 300 };
  const widgets = [
    {
      ...widget,
      x: 0,
      properties: {
        ...common,
        title: 'Invocations',
        stat: 'Sum',
        metrics: [
          ['AWS/Lambda', 'Invocations', 'FunctionName', name],
          ['.', 'Errors', '.', '.'],
          ['.', 'Throttles', '.', '.'],
        ],
      },
    },
    {
      ...widget,
      x: 12,
      properties: {
        ...common,
        title: 'Messages waiting',
        stat: 'Maximum',
        metrics: [
          ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', queue],
          ['.', '.', '.', resources.deadLetterQueue.queueName],
          ['.', 'ApproximateAgeOfOldestMessage', '.', queue, { yAxis: 'right' }],
        ],
      },
    },
    {
      ...widget,
      x: 0,
      y: 6,
      properties: {
        ...common,
        title: 'Changes',
        stat: 'Sum',
        metrics: ['ChangesInvalidated', 'ChangesSkipped', 'ChangesFailed'].map((it) => metric(it)),
      },
    },
    {
      ...widget,
      x: 12,
      y: 6,
      properties: {
        ...common,
        title: 'Time from change to invalidation',
        metrics: [metric('InvalidationLag', { stat: 'Maximum' }), metric('InvalidationLag', { stat: 'p50' })],
      },
    },
    {
      ...widget,
      x: 0,
      y: 12,
      properties: {
        ...common,
        period: 3600,
        title: 'Paths',
        stat: 'Sum',
        metrics: ['Paths', 'PathsSaved', 'UnchangedEvicted'].map((it) => metric(it)),
      },
    },
    {
      ...widget,
      x: 12,
      y: 12,
      properties: {
        ...common,
        title: 'Invalidations and retries',
        stat: 'Sum',
        metrics: [metric('Invalidations'), metric('Retries'), [NAMESPACE, 'StaleCacheUsed']],
      },
    },
    {
      type: 'log',
      x: 0,
      y: 18,
      width: 24,
      height: 9,
      properties: { region: stack.region, title: 'Latest invalidations', view: 'table', query: latestInvalidations(resources.logGroup) },
    },
  ];
  return new cloudwatch.CfnDashboard(scope, 'MonitoringDashboard', { dashboardBody: stack.toJsonString({ widgets }) });
}

function latestInvalidations(logGroup: ILogGroup): string {
  const sent = ['distributionId', 'status', 'invalidationId', 'changes', 'pathCount', 'paths'].map((it) => `sent.${it}`);
  return [
    `SOURCE '${logGroup.logGroupName}'`,
    'filter totals.invalidations > 0',
    'fields jsonParse(@message) as line',
    'unnest line.invalidations into sent',
    `display @timestamp, source, ${sent.join(', ')}`,
    'sort @timestamp desc',
    'limit 50',
  ].join(' | ');
}
