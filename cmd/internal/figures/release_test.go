package figures_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// fileSize is the size of each file in a release.
const fileSize = 5 * 1000 * 1000

// random is data that cannot be compressed, like pictures, archives, models.
func random(seed byte) []byte {
	data := make([]byte, fileSize)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data) // never fails
	return data
}

// prose compresses to about a third, as programs and texts do.
func prose(seed byte) []byte {
	source := rand.New(rand.NewChaCha8([32]byte{seed}))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x ", source.Uint64()>>(8*source.UintN(7)))
	}
	data := make([]byte, 0, fileSize+32)
	for len(data) < fileSize {
		data = append(data, words[source.UintN(uint(len(words)))]...)
	}
	return data[:fileSize]
}

// release has as many files of 5 MB as asked for. There are a few of each kind,
// and the rest repeats them; a ZIP does not notice.
func release(version string, incompressible, compressible int) fixtures.Release {
	const kinds = 10
	r := fixtures.Release{Version: version, Files: map[string][]byte{}}
	add := func(name string, n int, make func(seed byte) []byte) {
		var some [][]byte
		for i := range min(n, kinds) {
			some = append(some, make(byte(i)))
		}
		for i := range n {
			r.Files[fmt.Sprintf("services/data/%03d.%s", i, name)] = some[i%kinds]
		}
	}
	add("bin", incompressible, random)
	add("txt", compressible, prose)
	return r
}

// Versions of the releases, one for each size.
const (
	hundredMB = "1.100.0"
	tenMB     = "1.10.0"
	oneGB     = "1.1000.0"
	small     = "1.1.0"
)

// ordinary is 100 MB unpacked in 20 files, half of it compressible.
func ordinary() fixtures.Release { return release(hundredMB, 10, 10) }
