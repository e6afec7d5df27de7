/** Text that is markup already, and is put into a page as it is. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** What may stand in a page; nothing stands for null and false. */
export type Content = Markup | string | number | null | false | readonly Content[]

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

/** Names of cards come from drivers and reasons from programs: whatever is no markup is escaped, for elements and for quoted attributes. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...values.map(markupOf)))
}

function markupOf(content: Content): string {
  if (content === null || content === false) return ""
  if (content instanceof Markup) return content.text
  if (typeof content === "object") return content.map(markupOf).join("")
  return String(content).replace(/[&<>"']/g, sign => ENTITIES[sign] ?? sign)
}

/** A sentence in which `commands` stand between backticks. */
export function prose(text: string): Content {
  const parts = text.split("`")
  // A quote without an end is none.
  if (parts.length % 2 === 0) return text
  return parts.map((part, at) => (at % 2 === 0 ? part : html`<code>${part}</code>`))
}
