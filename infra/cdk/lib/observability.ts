import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface Watched {
  readonly function: IFunction;
  readonly logGroup: ILogGroup;
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
}

/** Four alarms, and the metric of stale answers. */
export function addAlarms(scope: Construct, watched: Watched, topic?: ITopic): cloudwatch.Alarm[] {
  const period = Duration.minutes(5);
  const { queue, deadLetterQueue } = watched;
  const alarms: [string, cloudwatch.Metric, number, number, string][] = [
    [
      'DeadLettersAlarm',
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' }),
      1,
      0,
      'Changes failed for good. They are kept in the dead-letter queue, from where they can be sent again.',
    ],
    [
      'AgeAlarm',
      queue.metricApproximateAgeOfOldestMessage({ period, statistic: 'Maximum' }),
      1,
      900,
      'Changes have waited for more than 15 minutes.',
    ],
    [
      'ErrorsAlarm',
      watched.function.metricErrors({ period, statistic: 'Sum' }),
      3,
      0,
      'Invocations fail. Lambda and the queue try again before anything is given up.',
    ],
    [
      'ThrottlesAlarm',
      watched.function.metricThrottles({ period, statistic: 'Sum' }),
      3,
      0,
      'There is no concurrency for the function. Events wait for up to 6 hours.',
    ],
  ];
  // How often tags or settings read before had to serve, since AWS could not be asked.
  new MetricFilter(scope, 'StaleAnswers', {
    logGroup: watched.logGroup,
    filterPattern: FilterPattern.literal('{ $.level = "WARN" && $.message = "*could not be read again*" }'),
    metricNamespace: 'S3CloudFrontInvalidator',
    metricName: 'StaleAnswers',
    metricValue: '1',
    unit: cloudwatch.Unit.COUNT,
  });
  return alarms.map(([id, metric, evaluationPeriods, threshold, alarmDescription]) => {
    const alarm = new cloudwatch.Alarm(scope, id, {
      alarmDescription,
      metric,
      evaluationPeriods,
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
  ];
  return new cloudwatch.CfnDashboard(scope, 'Board', { dashboardBody: stack.toJsonString({ widgets }) });
}
