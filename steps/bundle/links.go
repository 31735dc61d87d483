package bundle

import (
	"path"
	"strings"
)

// maxFollowed is how many links the kernel follows on the way to one file.
const maxFollowed = 40

// CheckLinks refuses a link that can never be followed: it leads back to itself, or to
// something below a file. A target that is missing is up to the publisher. links maps
// the path of each link to its target; typeOf tells what else the version has at a path.
// The paths have passed CheckPath and Tree, the targets CheckTarget.
//
// The error names the link that comes first.
func CheckLinks(links map[string]string, typeOf func(path string) (Type, bool)) error {
	first, bad := "", error(nil)
	for link, target := range links {
		if bad != nil && link > first {
			continue
		}
		if err := follow(link, target, links, typeOf); err != nil {
			first, bad = link, err
		}
	}
	return bad
}

// follow goes the way that a program would go when it opens the link.
func follow(link, target string, links map[string]string, typeOf func(path string) (Type, bool)) error {
	at := path.Dir(link)
	rest := strings.Split(target, "/")
	for followed := 1; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		at = path.Join(at, part)
		if next, ok := links[at]; ok {
			if followed++; followed > maxFollowed {
				return Invalid("link %q: its target %q cannot be reached: it leads in a cycle, or through more than %d links", link, target, maxFollowed)
			}
			rest = append(strings.Split(next, "/"), rest...)
			at = path.Dir(at)
			continue
		}
		typ, ok := typeOf(at)
		if !ok {
			return nil
		}
		if typ == File && len(rest) > 0 {
			return Invalid("link %q: its target %q cannot be reached: it leads below %q, which is a file", link, target, at)
		}
	}
	return nil
}
