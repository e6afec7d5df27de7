import { clean, halt } from "./clean.ts"
import type { Ports } from "./ports.ts"
import { prepare } from "./prepare.ts"
import { prove } from "./prove.ts"
import type { Steps } from "./road.ts"
import { run } from "./run.ts"
import { settle } from "./settle.ts"
import { wait } from "./wait.ts"

/** The road's steps over real parts. */
export function stepsOver(ports: Ports): Steps {
  return {
    prepare: (shard, signal) => prepare(shard, ports, signal),
    run: (shard, signal) => run(shard, ports, signal),
    wait: (shard, signal) => wait(shard, ports, signal),
    prove: shard => prove(shard, ports),
    settle: (shard, signal) => settle(shard, ports, signal),
    halt: shard => halt(shard, ports),
    clean: shard => clean(shard, ports),
  }
}
