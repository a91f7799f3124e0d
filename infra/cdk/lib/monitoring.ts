import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { S3CloudFrontInvalidatorProps } from './props';

/** The namespace of the function's metrics and of the metric filter's metric. */
const NAMESPACE = 'S3CloudFrontInvalidator';

/** The resources that the alarms and the dashboard monitor. */
export interface MonitoredResources {
  readonly function: IFunction;
  readonly logGroup: ILogGroup;
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
}

/** An alarm that goes into ALARM above its threshold. */
interface AlarmSettings {
  readonly id: string;
  readonly enabled: boolean;
  readonly description: string;
  readonly metric: cloudwatch.Metric;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm?: number;
  readonly threshold: number;
}

/** Adds the alarm on the age of the oldest message, and with `alarms` four others and the metric StaleCacheUsed. */
export function addAlarms(scope: Construct, resources: MonitoredResources, props: S3CloudFrontInvalidatorProps): cloudwatch.Alarm[] {
  const all = props.alarms ?? false;
  const hasMetrics = (props.metrics ?? 'on') === 'on';
  const interval = props.pollIntervalMinutes ?? 1;
  const period = Duration.minutes(5);
  const own = (metricName: string, over: Duration) =>
    new cloudwatch.Metric({
      namespace: NAMESPACE,
      metricName,
      dimensionsMap: { FunctionName: resources.function.functionName },
      period: over,
      statistic: 'Sum',
    });
  // A failed message is redelivered after its visibility timeout of 3 minutes, with the next poll. So it fails in almost every
  // period, because a period contains at least one poll.
  const errorsPeriod = Duration.minutes(Math.max(5, interval));
  const alarms: AlarmSettings[] = [
    {
      id: 'DeadLetterQueueAlarm',
      enabled: all,
      description: 'The dead-letter queue contains changes that failed permanently. Correct the cause, then redrive the messages.',
      metric: resources.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' }),
      evaluationPeriods: 1,
      threshold: 0,
    },
    {
      id: 'QueueAgeAlarm',
      enabled: props.alarmOnQueueAge ?? true,
      description: 'Messages wait in the queue for too long: the function does not poll it.',
      metric: resources.queue.metricApproximateAgeOfOldestMessage({ period, statistic: 'Maximum' }),
      evaluationPeriods: 1,
      // A message may wait for the interval, and 14 minutes for retries.
      threshold: 60 * interval + 840,
    },
    {
      id: 'ErrorsAlarm',
      enabled: all,
      description: 'Changes fail, or invocations if metrics are off. Lambda and SQS retry them before they reach the dead-letter queue.',
      // Lambda's metric Errors does not count messages that a poll leaves in the queue. ChangesFailed does not count invocations that
      // crash or time out: these are retried, and reach the other alarms if they keep failing.
      metric: hasMetrics ? own('ChangesFailed', errorsPeriod) : resources.function.metricErrors({ period: errorsPeriod, statistic: 'Sum' }),
      evaluationPeriods: 4,
      datapointsToAlarm: 3,
      threshold: 0,
    },
    {
      id: 'ThrottlesAlarm',
      enabled: all,
      description:
        'Lambda throttles the function because no concurrency is available. Lambda retries events from S3 for up to 6 hours, and may ' +
        'delete them if this goes on for long; messages stay in the queue.',
      metric: resources.function.metricThrottles({ period, statistic: 'Sum' }),
      evaluationPeriods: 3,
      threshold: 0,
    },
    {
      id: 'PathsAlarm',
      enabled: all && hasMetrics,
      description: 'CloudFront bills the paths of the last day with 0.005 USD each: many objects change all the time.',
      metric: own('Paths', Duration.days(1)),
      evaluationPeriods: 1,
      threshold: props.pathsAlarmThreshold ?? 2000,
    },
  ];
  if (all) {
    // Counts how often the function used a stale cache entry because AWS returned an error.
    new MetricFilter(scope, 'StaleCacheUsed', {
      logGroup: resources.logGroup,
      filterPattern: FilterPattern.literal('{ $.level = "WARN" && $.message = "stale cache entry used*" }'),
      metricNamespace: NAMESPACE,
      metricName: 'StaleCacheUsed',
      metricValue: '1',
      unit: cloudwatch.Unit.COUNT,
    });
  }
  return alarms
    .filter((it) => it.enabled)
    .map(({ id, enabled, description, ...settings }) => {
      const alarm = new cloudwatch.Alarm(scope, id, {
        ...settings,
        alarmDescription: `${description} See docs/operations.md.`,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      });
      if (props.alarmTopic) alarm.addAlarmAction(new SnsAction(props.alarmTopic));
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
        metrics: ['ChangesInvalidated', 'ChangesSkipped', 'ChangesQueued', 'ChangesFailed'].map((it) => metric(it)),
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
