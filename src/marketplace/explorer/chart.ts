import { type Html, html } from "./html.ts"

export interface Point {
  label: string
  value: number
}

const [WIDTH, HEIGHT] = [560, 240]
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 16, 16, 40]
const GRID_LINES = 4
/** More labels than this would stand on each other. */
const LABELS = 5

/** Its loss is that of a guess, and would press all others into one line. */
const UNTRAINED = "untrained"

/** Held-out losses over the job's rounds, with the same figures as a table below. Nothing where there are none. */
export function lossCurve(losses: readonly Point[]): Html | null {
  if (losses.length === 0) return null
  const trained = losses.filter(({ label }) => label !== UNTRAINED)
  const above = trained.length > 0 ? losses.find(({ label }) => label === UNTRAINED) : undefined
  return html`<figure class="curve">
${svg(trained.length > 0 ? trained : losses)}
<figcaption>Held-out loss in nats per byte, lower is better, as the evaluating shards told it${
    above === undefined ? null : `; untrained it was ${above.value.toFixed(4)}`
  }</figcaption>
</figure>
<details><summary>The losses as a table</summary>
<table><caption>Held-out loss, nats per byte</caption><thead><tr><th scope="col">State</th><th scope="col" class="number">Loss</th></tr></thead>
<tbody>${losses.map(
    ({ label, value }) =>
      html`<tr><th scope="row">${label}</th><td class="number">${value.toFixed(4)}</td></tr>\n`,
  )}</tbody></table></details>`
}

function svg(losses: readonly Point[]): Html {
  const { x, y, low, high } = scales(losses)
  const line = losses.map(({ value }, at) => `${x(at)},${y(value)}`).join(" ")
  const grid = Array.from({ length: GRID_LINES + 1 }, (_, at) => low + ((high - low) * at) / GRID_LINES)
  const every = Math.ceil(losses.length / LABELS)
  const last = losses.length - 1
  const named = losses.flatMap(({ label }, at) =>
    at === last || (at % every === 0 && last - at >= every) ? [{ label, at }] : [],
  )
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="curve-title">
<title id="curve-title">Held-out loss, from ${losses[0]?.value.toFixed(4) ?? ""} to ${losses.at(-1)?.value.toFixed(4) ?? ""}</title>
${grid.map(value => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text class="scale" x="${LEFT - 8}" y="${y(value)}" text-anchor="end" dominant-baseline="middle">${value.toFixed(2)}</text>\n`)}
${named.map(({ label, at }) => html`<text class="scale" x="${x(at)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="${at === last && at > 0 ? "end" : at === 0 ? "start" : "middle"}">${label}</text>\n`)}
<polyline class="line" fill="none" points="${line}"/>
${losses.map(({ label, value }, at) => html`<circle class="point" cx="${x(at)}" cy="${y(value)}" r="${losses.length > 40 ? 1.5 : 3}"><title>${label}: ${value.toFixed(4)}</title></circle>\n`)}
</svg>`
}

function scales(losses: readonly Point[]) {
  const values = losses.map(({ value }) => value)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const margin = (most - least || Math.abs(most) || 1) * 0.05
  const [low, high] = [least - margin, most + margin]
  const rounded = (place: number) => Math.round(place * 10) / 10
  const across = WIDTH - LEFT - RIGHT
  const down = HEIGHT - TOP - BOTTOM
  return {
    low,
    high,
    x: (at: number) =>
      rounded(LEFT + (losses.length === 1 ? across / 2 : (across * at) / (losses.length - 1))),
    y: (value: number) => rounded(TOP + down * (1 - (value - low) / (high - low))),
  }
}
