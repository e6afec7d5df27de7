import os from "node:os"
import { dcgmFamilies } from "./dcgm.ts"
import { agentFamilies, cardFamilies } from "./families.ts"
import type { Family, MetricsReport } from "./report.ts"

export interface MetricsText {
  text: string
  contentType: string
}

/**
 * A report in Prometheus's text format.
 * @param dcgm whether NVIDIA cards are told a second time, in dcgm-exporter's names.
 */
export async function metricsText(report: MetricsReport, dcgm: boolean): Promise<MetricsText> {
  // An agent that nobody scrapes does not load it.
  const { Registry, Gauge, Counter } = await import("prom-client")
  const registry = new Registry()
  const families = [
    ...agentFamilies(report),
    ...cardFamilies(report.cards),
    ...(dcgm ? dcgmFamilies(report.cards, os.hostname()) : []),
  ]
  for (const { name, help, type, labels, values } of families.filter(hasValue)) {
    const shape = { name, help, labelNames: labels, registers: [registry] }
    const add = type === "counter" ? adder(new Counter(shape)) : setter(new Gauge(shape))
    for (const { labels: of, value } of values) if (value !== null) add(of, value)
  }
  return { text: await registry.metrics(), contentType: registry.contentType }
}

/** A metric that no card reports is left out with its heading. */
function hasValue({ values }: Family): boolean {
  return values.some(({ value }) => value !== null)
}

type Add = (labels: Record<string, string>, value: number) => void

function adder(counter: { inc: Add }): Add {
  return (labels, value) => counter.inc(labels, value)
}

function setter(gauge: { set: Add }): Add {
  return (labels, value) => gauge.set(labels, value)
}
