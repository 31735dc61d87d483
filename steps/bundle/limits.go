package bundle

import "github.com/tope/updater/platform/versions"

// Limits bounds the resources that a bundle may take on the device. A field that is
// zero means its default.
type Limits struct {
	// Entries is the most entries in the bundle, used or not, and also the most
	// entries in the version made from it.
	Entries int
	// Path is the longest path in bytes, Depth the most components in one.
	Path, Depth int
	// File is the largest file, Total the sum of all, in bytes unpacked.
	File, Total int64
	// Ratio is how many times larger than its packed size a file, or the whole
	// bundle, may become. Below RatioFloor unpacked bytes there is no limit.
	Ratio, RatioFloor int64
	// Manifest is the largest description of a release, in bytes.
	Manifest int64
}

// DefaultLimits leaves ample room for every release that a device could hold, and
// keeps the memory for opening a bundle below a few megabytes.
func DefaultLimits() Limits {
	return Limits{
		Entries:    versions.MaxFiles,
		Path:       versions.MaxPath,
		Depth:      32,
		File:       8 << 30,
		Total:      16 << 30,
		Ratio:      200,
		RatioFloor: 16 << 20,
		Manifest:   1 << 20,
	}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	fill(&l.Entries, d.Entries)
	fill(&l.Path, d.Path)
	fill(&l.Depth, d.Depth)
	fill(&l.File, d.File)
	fill(&l.Total, d.Total)
	fill(&l.Ratio, d.Ratio)
	fill(&l.RatioFloor, d.RatioFloor)
	fill(&l.Manifest, d.Manifest)
	return l
}

func fill[T int | int64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// CheckSize refuses a file of size bytes that takes packed bytes in the bundle.
func (l Limits) CheckSize(path string, size, packed int64) error {
	if size < 0 || packed < 0 || size > l.File {
		return Invalid("%q: %d bytes are more than the %d a file may have", path, size, l.File)
	}
	if l.tooDense(size, packed) {
		return Invalid("%q: %d bytes packed into %d are more than %d to one", path, size, packed, l.Ratio)
	}
	return nil
}

// CheckTotal refuses a bundle of packed bytes that unpacks to size bytes.
func (l Limits) CheckTotal(size, packed int64) error {
	if size < 0 || size > l.Total {
		return Invalid("the files have %d bytes in all, more than the %d allowed", size, l.Total)
	}
	if l.tooDense(size, packed) {
		return Invalid("%d bytes in a bundle of %d are more than %d to one", size, packed, l.Ratio)
	}
	return nil
}

func (l Limits) tooDense(size, packed int64) bool {
	return size > l.RatioFloor && size/l.Ratio > packed
}
