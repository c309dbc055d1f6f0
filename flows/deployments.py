"""The flows as ``prefect.yaml`` deploys them: the same ones, with retries and a time limit, for which a command line has no use.

A second try goes on with what the first landed. A time limit ends a run that hangs; it is far above what a run takes.
"""

from __future__ import annotations

from flows.backfill import backfill as backfill_flow
from flows.compact import compact as compact_flow
from flows.harvest import harvest as harvest_flow
from flows.replay import replay as replay_flow

HOUR = 3600

harvest = harvest_flow.with_options(retries=2, retry_delay_seconds=900, timeout_seconds=12 * HOUR)
backfill = backfill_flow.with_options(retries=2, retry_delay_seconds=900, timeout_seconds=48 * HOUR)
replay = replay_flow.with_options(retries=1, retry_delay_seconds=300, timeout_seconds=6 * HOUR)
compact = compact_flow.with_options(retries=1, retry_delay_seconds=900, timeout_seconds=6 * HOUR)
