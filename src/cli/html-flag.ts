import { Flags } from "@oclif/core"

/** Where a report goes as a page. */
export const htmlFlag = Flags.string({
  description: "write the report as a page with charts, which stands by itself: offline, printed or attached",
  helpValue: "FILE",
})
