import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Rule } from "../../protocol/message.ts"

interface Target {
  job: JobId
  index: number
}

/** Which shards an agent's owner forbids, and by which rule. Kept while the agent serves: its next start may have other rules. */
export class Refusals {
  #byJob = new Map<JobId, Map<number, Map<KeyId, Rule>>>()

  add({ job, index }: Target, agent: KeyId, rule: Rule): void {
    const shards = this.#byJob.get(job) ?? new Map<number, Map<KeyId, Rule>>()
    this.#byJob.set(job, shards)
    shards.set(index, (shards.get(index) ?? new Map<KeyId, Rule>()).set(agent, rule))
  }

  has(job: JobId): boolean {
    return this.#byJob.has(job)
  }

  of({ job, index }: Target, agent: KeyId): Rule | undefined {
    return this.#byJob.get(job)?.get(index)?.get(agent)
  }

  /** The agent announces its slots anew, so that it is asked anew. */
  forgive(agent: KeyId): void {
    for (const [job, shards] of this.#byJob) {
      for (const [index, rules] of shards) if (rules.delete(agent) && rules.size === 0) shards.delete(index)
      if (shards.size === 0) this.#byJob.delete(job)
    }
  }

  /** The job is over. */
  forget(job: JobId): void {
    this.#byJob.delete(job)
  }
}
