export interface Metric {
  type: string
  help: string
  samples: { labels: Record<string, string>; value: number }[]
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)$/i

/**
 * Reads Prometheus's text format 0.0.4 strictly: HELP and TYPE once and before the samples, all lines of a metric together, no
 * sample twice, no value that is no number, a line's end at the end.
 */
export function parseMetrics(text: string): Map<string, Metric> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  const metrics = new Map<string, Metric>()
  let current = ""
  for (const line of text.split("\n").filter(one => one !== "")) {
    const [, kind, name = "", rest = ""] = line.match(/^# (HELP|TYPE) (\S+) (.+)$/) ?? []
    if (kind === "HELP") {
      if (metrics.has(name)) throw new Error(`${name} comes twice`)
      metrics.set(name, { type: "", help: rest, samples: [] })
      current = name
    } else if (kind === "TYPE") {
      const metric = metrics.get(name)
      if (name !== current || !metric || metric.type !== "")
        throw new Error(`TYPE of ${name} is out of place`)
      if (!["gauge", "counter"].includes(rest)) throw new Error(`${rest} is no type`)
      metric.type = rest
    } else {
      takeSample(line, current, metrics)
    }
  }
  return metrics
}

function takeSample(line: string, current: string, metrics: Map<string, Metric>): void {
  const [, name = "", labelText = "", valueText = ""] = line.match(SAMPLE) ?? []
  const metric = metrics.get(name)
  if (name !== current || !metric || metric.type === "") throw new Error(`out of place: ${line}`)
  if (!VALUE.test(valueText)) throw new Error(`no value: ${line}`)
  const labels = readLabels(labelText)
  const key = JSON.stringify(Object.entries(labels).sort())
  if (metric.samples.some(other => JSON.stringify(Object.entries(other.labels).sort()) === key)) {
    throw new Error(`twice: ${line}`)
  }
  metric.samples.push({ labels, value: Number(valueText) })
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex
    const [, name = "", value = ""] = LABEL.exec(text) ?? []
    if (name === "" || name in labels) throw new Error(`bad labels at ${at}: ${text}`)
    labels[name] = value.replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter))
  }
  return labels
}
