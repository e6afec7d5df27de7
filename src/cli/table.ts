import Table from "cli-table3"

const NO_LINES = {
  ...{
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
  },
  ...{
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  },
}

/** Columns under their names, without lines and colours, so that `grep` and `awk` read them as people do. */
export function columns(head: string[], rows: (string | number)[][]): string {
  const style = { head: [], border: [], "padding-left": 0, "padding-right": 0 }
  const table = new Table({ head, style, chars: NO_LINES })
  table.push(...rows)
  return table
    .toString()
    .split("\n")
    .map(line => line.trimEnd())
    .join("\n")
}
