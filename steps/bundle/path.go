package bundle

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckPath refuses a path that is not plain: relative, clean, valid UTF-8
// without control characters or backslashes, within the limits.
func CheckPath(p string, limits Limits) error {
	if p == "" {
		return Invalid("a path is empty")
	}
	if len(p) > limits.Path {
		return Invalid("path %.40q… has %d bytes, more than the %d allowed", p, len(p), limits.Path)
	}
	if !utf8.ValidString(p) {
		return Invalid("path %q is not UTF-8", p)
	}
	for _, r := range p {
		if r == '\\' || !unicode.IsGraphic(r) {
			return Invalid("path %q has the character %q", p, r)
		}
	}
	depth := 0
	for part := range strings.SplitSeq(p, "/") {
		depth++
		switch {
		case part == "":
			return Invalid("path %q is absolute or has an empty component", p)
		case part == "." || part == "..":
			return Invalid("path %q has the component %q", p, part)
		case len(part) > 255:
			return Invalid("path %.40q… has a component of %d bytes, more than the 255 a file system holds", p, len(part))
		}
	}
	if depth > limits.Depth {
		return Invalid("path %q is %d deep, more than the %d allowed", p, depth, limits.Depth)
	}
	return nil
}

// CheckTarget refuses the target of a link at p unless it is relative and stays in the
// version, whatever other links there are. ".." is allowed only at the beginning of the
// target, because the directories above the link are real ones, and not more often
// than there are such directories.
func CheckTarget(p, target string, limits Limits) error {
	if target == "" || strings.HasPrefix(target, "/") {
		return Invalid("link %q: its target %q is not relative", p, target)
	}
	rest, ups := strings.TrimSuffix(strings.TrimPrefix(target, "./"), "/"), strings.Count(p, "/")
	for rest == ".." || strings.HasPrefix(rest, "../") {
		if ups == 0 {
			return Invalid("link %q: its target %q leads out of the version", p, target)
		}
		ups--
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, ".."), "/")
	}
	if rest == "" || rest == "." {
		return Invalid("link %q: its target %q is one of the directories it is in", p, target)
	}
	if err := CheckPath(rest, limits); err != nil {
		return Invalid("link %q: its target %q is not plain", p, target)
	}
	if p == rest && path.Dir(p) == "." {
		return Invalid("link %q leads to itself", p)
	}
	return nil
}
