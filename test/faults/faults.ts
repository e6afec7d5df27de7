import { killContainer, loseCard, removeContainer, removeImage, stopEngine } from "./engine-faults.ts"
import type { Fault } from "./fault.ts"
import { cutNetwork, halfOpen, lossyNetwork } from "./network-faults.ts"
import { fillDisk, jumpClock, kill, stall } from "./program-faults.ts"

/** Everything that is done to a shard's world, in the order of the report. */
export const FAULTS: readonly Fault[] = [
  kill("kill-agent", "the agent", lane => lane.agent),
  kill("kill-market", "the marketplace", lane => lane.market),
  kill("kill-engine", "the engine's daemon", lane => lane.daemon.process),
  stopEngine,
  stall("stall-agent", "the agent", lane => lane.agent),
  stall("stall-market", "the marketplace", lane => lane.market),
  stall("stall-engine", "the engine's daemon", lane => lane.daemon.process),
  cutNetwork,
  lossyNetwork,
  halfOpen,
  fillDisk("agent", "the agent's state"),
  fillDisk("market", "the marketplace's state"),
  jumpClock("agent", "the agent", 1),
  jumpClock("agent", "the agent", -1),
  jumpClock("market", "the marketplace", 1),
  jumpClock("market", "the marketplace", -1),
  killContainer,
  removeContainer,
  removeImage,
  loseCard,
]
