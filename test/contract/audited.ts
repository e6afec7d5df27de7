import { setTimeout as sleep } from "node:timers/promises"
import type { Terms } from "../../src/marketplace/options.ts"
import type { JobId, JobSpec, JobStatus } from "../../src/protocol/job.ts"
import { type Client, connect, enrol } from "./client.ts"
import { Embedded } from "./market.ts"
import { batchJob } from "./work.ts"
import { type Conduct, type Ending, Worker } from "./worker.ts"

/** Under every job of these tests. */
const IMAGE = batchJob().image.digest

/** A marketplace whose jobs are audited, a buyer, and workers that come and go. */
export class AuditedMarket implements AsyncDisposable {
  readonly embedded: Embedded
  buyer: Client
  workers: Worker[] = []

  private constructor(embedded: Embedded, buyer: Client) {
    this.embedded = embedded
    this.buyer = buyer
  }

  static async open(terms: Partial<Terms>): Promise<AuditedMarket> {
    const embedded = await Embedded.start({ vouched: [IMAGE], feeBasisPoints: 0, ...terms })
    const buyer = await enrol(embedded.url)
    await buyer.upload("")
    return new AuditedMarket(embedded, buyer)
  }

  get endings(): Ending[] {
    return this.workers.flatMap(({ endings }) => endings)
  }

  async hire(job: Pick<JobSpec, "resources">, ...conducts: Conduct[]): Promise<Worker[]> {
    const hired = await Promise.all(conducts.map(one => Worker.start(this.embedded.url, job, one)))
    this.workers.push(...hired)
    return hired
  }

  /** Stops the marketplace and starts it again; everybody comes back to it. */
  async restart(job: Pick<JobSpec, "resources">): Promise<void> {
    await this.embedded.restart()
    await this.buyer.close()
    this.buyer = await connect(this.embedded.url, this.buyer.identity)
    this.workers = await Promise.all(this.workers.map(worker => worker.again(this.embedded.url, job)))
  }

  async status(job: JobId): Promise<JobStatus> {
    return (await this.buyer.ask({ type: "watch", job }, "job")).status
  }

  /** The job once it has ended. */
  async done(id: JobId): Promise<JobStatus> {
    await until(async () => ["done", "failed"].includes((await this.status(id)).state))
    return this.status(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.stop()))
    await this.buyer.close()
    await this.embedded.stop()
  }
}

export async function until(holds: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms`)
    await sleep(50)
  }
}

export function outcomes({ endings }: Worker): string[] {
  return endings.map(({ answer }) =>
    answer?.type === "refused" ? answer.code : (answer?.type ?? "given back"),
  )
}
