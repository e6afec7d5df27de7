/** Text that is HTML already, and is not escaped again. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What may stand in a template: text is escaped, null is nothing, lists are joined. */
export type Part = Html | string | number | null | readonly Part[]

const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

/** Builds HTML in which no value can become markup: names come from strangers. Attributes have to stand in double quotes. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map((text, at) => text + rendered(parts[at] ?? null)).join(""))
}

function rendered(part: Part): string {
  if (part === null) return ""
  if (part instanceof Html) return part.text
  if (typeof part === "object") return part.map(rendered).join("")
  return `${part}`.replace(/[&<>"']/g, sign => ESCAPES[sign] ?? "")
}
