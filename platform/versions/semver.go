package versions

import (
	"cmp"
	"fmt"
	"strings"
)

// maxVersion keeps "v"+version+a temporary's affixes below the 255 bytes of a
// file name, with room to spare.
const maxVersion = 128

// ValidVersion accepts a version as SemVer 2.0.0 writes it, without "v":
// 1.2.3, 1.2.3-rc.1, 1.2.3+build.5. What it accepts is safe as a directory name.
func ValidVersion(s string) error {
	if len(s) > maxVersion {
		return fmt.Errorf("version of %d characters: at most %d are allowed", len(s), maxVersion)
	}
	if validSemVer(s) {
		return nil
	}
	if meant := meantVersion(s); meant != "" {
		return fmt.Errorf("%q is not a version: write %q", s, meant)
	}
	return fmt.Errorf("%q is not a version: want three numbers like 1.2.3, without v", s)
}

// meantVersion guesses which version somebody meant who wrote v1.2.3, 1.2 or
// 2024.01.05; "" when there is no telling. It is for messages only: nothing is installed
// under a guessed name.
func meantVersion(s string) string {
	s = strings.TrimLeft(strings.TrimSpace(s), "vV")
	core, rest := s, ""
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		core, rest = s[:i], s[i:]
	}
	numbers := strings.Split(core, ".")
	for i, n := range numbers {
		if !isDigits(n) {
			return ""
		}
		numbers[i] = strings.TrimLeft(n[:len(n)-1], "0") + n[len(n)-1:]
	}
	for len(numbers) < 3 {
		numbers = append(numbers, "0")
	}
	meant := strings.Join(numbers, ".") + rest
	if !validSemVer(meant) {
		return ""
	}
	return meant
}

func validSemVer(s string) bool {
	v := split(s)
	numbers := strings.Split(v.core, ".")
	if len(numbers) != 3 {
		return false
	}
	for _, n := range numbers {
		if !isNumber(n) {
			return false
		}
	}
	for _, id := range v.pre {
		if !isIdentifier(id) || isDigits(id) && !isNumber(id) {
			return false
		}
	}
	for _, id := range v.build {
		if !isIdentifier(id) {
			return false
		}
	}
	return true
}

// Compare orders versions by SemVer precedence: negative when a is older than
// b. Versions that differ in build metadata only are ordered by their text, so
// that only equal versions compare as 0.
func Compare(a, b string) int {
	va, vb := split(a), split(b)
	na, nb := strings.Split(va.core, "."), strings.Split(vb.core, ".")
	for i := range min(len(na), len(nb)) {
		if c := compareNumbers(na[i], nb[i]); c != 0 {
			return c
		}
	}
	if c := comparePre(va.pre, vb.pre); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// comparePre: a version with a pre-release comes before the one without.
func comparePre(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(b), len(a))
	}
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		var c int
		switch dx, dy := isDigits(x), isDigits(y); {
		case dx && dy:
			c = compareNumbers(x, y)
		case dx:
			c = -1
		case dy:
			c = 1
		default:
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareNumbers compares decimal numbers of any length, no leading zeros.
func compareNumbers(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

type semver struct {
	core       string
	pre, build []string
}

func split(s string) semver {
	var v semver
	s, build, hasBuild := strings.Cut(s, "+")
	if hasBuild {
		v.build = strings.Split(build, ".")
	}
	core, pre, hasPre := strings.Cut(s, "-")
	if hasPre {
		v.pre = strings.Split(pre, ".")
	}
	v.core = core
	return v
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isNumber(s string) bool { return isDigits(s) && (s == "0" || s[0] != '0') }

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return s != ""
}
