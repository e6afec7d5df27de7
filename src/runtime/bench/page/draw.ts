import type { EChartsOption } from "echarts"
import { html, Markup } from "./html.ts"

/** What is to be drawn. */
export interface Chart {
  /** What it shows, for those who do not see it. */
  label: string
  /** In CSS pixels, for a width of {@link WIDTH_PX}. */
  height: number
  option: EChartsOption
}

export type Draw = (chart: Chart) => Markup

/** Loads what draws; it is large, and only who makes a page needs it. */
export async function openDrawing(): Promise<Draw> {
  const { init } = await import("echarts/dist/echarts.esm.min.mjs")
  return ({ label, height, option }) => {
    const drawing = init(null, null, { renderer: "svg", ssr: true, width: WIDTH_PX, height })
    try {
      drawing.setOption({ animation: false, textStyle: { fontFamily: FONT, color: INK.text }, ...option })
      const svg = withoutHooks(drawing.renderToSVGString())
      return new Markup(svg.replace("<svg ", () => html`<svg role="img" aria-label="${label}" `.text))
    } finally {
      // Its timers would keep the process alive.
      drawing.dispose()
    }
  }
}

/** What a script that comes to life in a page would look for: there is none, and it is a quarter of the bytes. */
function withoutHooks(svg: string): string {
  return svg
    .replaceAll(/ (?:ecmeta_\w+|class|pointer-events)="[\w-]*"/g, "")
    .replaceAll(/<style >[^<]*<!\[CDATA\[[^<]*\]\]>[^<]*<\/style>\n?/g, "")
}

/** Of each chart: on a telephone it becomes a little smaller, on a desk a little larger, and stays readable on both. */
export const WIDTH_PX = 440

export const FONT = "system-ui, sans-serif"

/** The page's own colours, which are others on a dark screen. */
export const INK = {
  text: "var(--text)",
  soft: "var(--soft)",
  rule: "var(--rule)",
  panel: "var(--panel)",
  blue: "var(--blue)",
  vermilion: "var(--vermilion)",
  green: "var(--green)",
  orange: "var(--orange)",
  purple: "var(--purple)",
} as const

/** Of axes. */
export const LETTERS = { color: INK.soft, fontSize: 12 } as const
