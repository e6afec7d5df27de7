// Checks a ledger's folder with Go's own checksum-database packages: main FOLDER VKEY INDEX EARLIER_SIZE
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder struct{ root string }

// Height is that of C2SP tlog-tiles, whose paths leave the height out.
func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(f.root, path))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return value
}

func main() {
	root, vkey, index, earlier := os.Args[1], os.Args[2], number(os.Args[3]), number(os.Args[4])
	verifier, err := note.NewVerifier(vkey)
	must(err)
	text, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	must(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size := number(lines[1])
	bytes, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	var hash tlog.Hash
	copy(hash[:], bytes)
	tree := tlog.Tree{N: size, Hash: hash}

	// The reader checks every tile against the signed root.
	reader := tlog.TileHashReader(tree, folder{root})
	record, err := tlog.ProveRecord(size, index, reader)
	must(err)
	must(tlog.CheckRecord(record, size, hash, index, tlog.RecordHash(entry(root, index, size))))
	before, err := tlog.TreeHash(earlier, reader)
	must(err)
	growth, err := tlog.ProveTree(size, earlier, reader)
	must(err)
	must(tlog.CheckTree(growth, size, hash, earlier, before))
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"size": size, "record": record, "growth": growth, "before": before.String(),
	}))
}

// entry reads one entry out of its bundle.
func entry(root string, index, size int64) []byte {
	tile := tlog.Tile{H: 8, L: 0, N: index / 256, W: 256}
	if size-tile.N*256 < 256 {
		tile.W = int(size - tile.N*256)
	}
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	bundle, err := os.ReadFile(filepath.Join(root, path))
	must(err)
	for at := index % 256; ; at-- {
		length := int(binary.BigEndian.Uint16(bundle))
		if at == 0 {
			return bundle[2 : 2+length]
		}
		bundle = bundle[2+length:]
	}
}
