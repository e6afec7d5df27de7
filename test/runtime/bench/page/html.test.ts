import fc from "fast-check"
import { expect, test } from "vitest"
import { html, Markup, prose } from "../../../../src/runtime/bench/page/html.ts"

test("whatever is no markup is escaped, in elements and in attributes", () => {
  const name = `<script>"x" & 'y'</script>`
  expect(html`<p title="${name}">${name}</p>`.text).toBe(
    '<p title="&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;">' +
      "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;</p>",
  )
})

test("no text makes a tag or ends an attribute", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."<>&;\"'/a#$`{}\\") }), text => {
      expect(html`${text}`.text).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/)
    }),
  )
})

test("markup stays as it is, lists are joined, and null and false are nothing", () => {
  expect(html`${[html`<b>1</b>`, new Markup("<i>"), null, false, 2, ["<", 0]]}`.text).toBe(
    "<b>1</b><i>2&lt;0",
  )
})

test("a backslash is a backslash", () => {
  expect(html`${"C:\\new"}`.text).toBe("C:\\new")
})

test("commands between backticks are code, and a lone backtick is none", () => {
  expect(html`${prose("Run `a <b>`, or `c`.")}`.text).toBe("Run <code>a &lt;b&gt;</code>, or <code>c</code>.")
  expect(html`${prose("a ` b")}`.text).toBe("a ` b")
})
