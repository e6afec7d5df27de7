import { clean, halt } from "./clean.ts"
import type { Ports } from "./ports.ts"
import { prepare } from "./prepare.ts"
import { prove } from "./prove.ts"
import { reveal } from "./reveal.ts"
import type { Steps } from "./road.ts"
import { run } from "./run.ts"
import { settle } from "./settle.ts"
import type { OpenState } from "./state.ts"
import { sendCheckpoint } from "./travel.ts"
import { wait } from "./wait.ts"

/** The road's steps over real parts, and beside the road the sending of a checkpoint that travels. */
export function stepsOver(
  ports: Ports,
): Steps & { send(shard: OpenState, signal: AbortSignal): Promise<void> } {
  return {
    prepare: (shard, signal) => prepare(shard, ports, signal),
    run: (shard, signal) => run(shard, ports, signal),
    wait: (shard, signal) => wait(shard, ports, signal),
    prove: shard => prove(shard, ports),
    settle: (shard, signal) => settle(shard, ports, signal),
    reveal: (shard, signal) => reveal(shard, ports, signal),
    halt: shard => halt(shard, ports),
    clean: shard => clean(shard, ports),
    send: (shard, signal) => sendCheckpoint(shard, ports, signal),
  }
}
