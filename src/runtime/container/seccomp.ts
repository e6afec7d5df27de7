import { fileURLToPath } from "node:url"
import type { EngineFacts } from "./engine.ts"
import profile from "./seccomp.json" with { type: "json" }

/**
 * The system calls that a shard may make; all others fail. It is stricter than the profiles of Docker and Podman, and the same whatever
 * engine runs it: those let through, by version, user namespaces, io_uring, sockets of hypervisors, tracing and message queues. In the
 * format of both engines (https://docs.docker.com/engine/security/seccomp/), without a list of architectures: that leaves the machine's own,
 * and no 32-bit calls.
 */
export const SECCOMP_PROFILE = profile
export const SECCOMP_PATH = fileURLToPath(new URL("./seccomp.json", import.meta.url))

/** What filters a shard's calls, as proofs name it: our profile, or gVisor, which answers them itself and whose own calls are filtered. */
export function callFilter({ isolation }: Pick<EngineFacts, "isolation">): string {
  return isolation === "gvisor" ? "gvisor" : "zg-agent"
}
