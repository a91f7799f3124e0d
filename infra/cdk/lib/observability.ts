import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** Of the function's own metrics, and of the one that is counted in its log. */
const NAMESPACE = 'S3CloudFrontInvalidator';

export interface Watched {
  readonly function: IFunction;
  readonly logGroup: ILogGroup;
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
}

/** Four alarms, and the metric of stale answers. */
export function addAlarms(scope: Construct, watched: Watched, metrics: 'on' | 'off', topic?: ITopic): cloudwatch.Alarm[] {
  const period = Duration.minutes(5);
  const { queue, deadLetterQueue } = watched;
  const failed = new cloudwatch.Metric({
    namespace: NAMESPACE,
    metricName: 'ChangesFailed',
    dimensionsMap: { FunctionName: watched.function.functionName },
    period,
    statistic: 'Sum',
  });
  // Name, metric, of how many periods how many must be above which threshold, and what that means.
  const alarms: [string, cloudwatch.Metric, number, number | undefined, number, string][] = [
    [
      'DeadLettersAlarm',
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' }),
      1,
      undefined,
      0,
      'Changes failed for good. They are kept in the dead-letter queue, from where they can be sent again.',
    ],
    [
      'AgeAlarm',
      queue.metricApproximateAgeOfOldestMessage({ period, statistic: 'Maximum' }),
      1,
      undefined,
      900,
      'Changes have waited for more than 15 minutes.',
    ],
    [
      'ErrorsAlarm',
      // Lambda's metric does not count the messages of a batch that fail. What crashes or times out comes again, and at last the
      // other alarms tell of it.
      metrics === 'on' ? failed : watched.function.metricErrors({ period, statistic: 'Sum' }),
      // A message that failed comes again after its visibility timeout and the window, 8 minutes by default; in the periods between
      // there is nothing, or a zero of other changes.
      6,
      3,
      0,
      'Changes fail, or invocations if there are no metrics. Lambda and the queue try again before anything is given up.',
    ],
    [
      'ThrottlesAlarm',
      watched.function.metricThrottles({ period, statistic: 'Sum' }),
      3,
      undefined,
      0,
      'Lambda has no concurrency for the function. ' +
        'Events that S3 sends it directly wait for up to 6 hours, messages stay in the queue.',
    ],
  ];
  // How often tags or settings read before had to serve, since AWS could not be asked.
  new MetricFilter(scope, 'StaleAnswers', {
    logGroup: watched.logGroup,
    filterPattern: FilterPattern.literal('{ $.level = "WARN" && $.message = "*could not be read again*" }'),
    metricNamespace: NAMESPACE,
    metricName: 'StaleAnswers',
    metricValue: '1',
    unit: cloudwatch.Unit.COUNT,
  });
  return alarms.map(([id, metric, evaluationPeriods, datapointsToAlarm, threshold, description]) => {
    const alarm = new cloudwatch.Alarm(scope, id, {
      alarmDescription: `${description} What to do: docs/operations.md.`,
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

/** The same board as the CloudFormation template's, which the class `Dashboard` would spell otherwise. */
export function addDashboard(scope: Construct, watched: Watched): cloudwatch.CfnDashboard {
  const stack = Stack.of(scope);
  const name = watched.function.functionName;
  const queue = watched.queue.queueName;
  const own = (metric: string, ...options: object[]) => [NAMESPACE, metric, 'FunctionName', name, ...options];
  const place = { type: 'metric', y: 0, width: 12, height: 6 };
  const shown = { region: stack.region, period: 300 };
  const widgets = [
    {
      ...place,
      x: 0,
      properties: {
        ...shown,
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
      ...place,
      x: 12,
      properties: {
        ...shown,
        title: 'Changes that wait',
        stat: 'Maximum',
        metrics: [
          ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', queue],
          ['.', '.', '.', watched.deadLetterQueue.queueName],
          ['.', 'ApproximateAgeOfOldestMessage', '.', queue, { yAxis: 'right' }],
        ],
      },
    },
    {
      ...place,
      x: 0,
      y: 6,
      properties: {
        ...shown,
        title: 'Changes',
        stat: 'Sum',
        metrics: ['ChangesCovered', 'ChangesIgnored', 'ChangesFailed'].map((it) => own(it)),
      },
    },
    {
      ...place,
      x: 12,
      y: 6,
      properties: {
        ...shown,
        title: 'Age of the oldest change when covered',
        metrics: [own('OldestChangeAge', { stat: 'Maximum' }), own('OldestChangeAge', { stat: 'p50' })],
      },
    },
    {
      ...place,
      x: 0,
      y: 12,
      properties: {
        ...shown,
        period: 3600,
        title: 'Paths',
        stat: 'Sum',
        metrics: ['Paths', 'PathsSaved', 'NeedlessEvictions'].map((it) => own(it)),
      },
    },
    {
      ...place,
      x: 12,
      y: 12,
      properties: {
        ...shown,
        title: 'Invalidations and retries',
        stat: 'Sum',
        metrics: [own('Invalidations'), own('Retries'), [NAMESPACE, 'StaleAnswers']],
      },
    },
    {
      type: 'log',
      x: 0,
      y: 18,
      width: 24,
      height: 9,
      properties: { region: stack.region, title: 'What was invalidated last', view: 'table', query: lastSent(watched.logGroup) },
    },
  ];
  return new cloudwatch.CfnDashboard(scope, 'Board', { dashboardBody: stack.toJsonString({ widgets }) });
}

function lastSent(log: ILogGroup): string {
  const sent = ['distributionId', 'status', 'invalidationId', 'changes', 'pathCount', 'paths'].map((it) => `sent.${it}`);
  return [
    `SOURCE '${log.logGroupName}'`,
    'filter invalidationCount > 0',
    'fields jsonParse(@message) as line',
    'unnest line.invalidations into sent',
    `display @timestamp, source, ${sent.join(', ')}`,
    'sort @timestamp desc',
    'limit 50',
  ].join(' | ');
}
