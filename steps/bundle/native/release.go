package native

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/tope/updater/platform/versions"
)

// Schema is the newest version of the release file that this program reads. It writes
// the oldest one that says all of a release: see Release.LeastSchema.
//
// In schema 1 each file can be read by everybody on the device, whatever its mode is,
// and none has capabilities. In schema 2 the mode is the file's mode, without the write
// bits, and the capabilities may stand behind it.
const (
	Schema    = 2
	schemaOne = 1
)

// Release is the release file: the whole description of a release.
type Release struct {
	Schema  int    `json:"schema"`
	Product string `json:"product"`
	// Hardware lists the hardware that the release runs on; empty for every hardware
	// of the product.
	Hardware []string `json:"hardware,omitempty"`
	// Version is a semantic version, without "v".
	Version string `json:"version"`
	// Epoch only rises: a device that has committed an epoch refuses lower ones.
	Epoch int64 `json:"epoch"`
	// MinUpdater is the oldest updater that can install it; empty for any.
	MinUpdater string    `json:"min_updater,omitempty"`
	Created    time.Time `json:"created"`
	// Expires is the time from which devices should not install the release any more;
	// zero for no limit. It limits for how long an attacker between publisher and
	// device can pass an old release off as the newest one.
	Expires time.Time `json:"expires,omitzero"`
	// Notes are for people, by language ("en", "zh").
	Notes map[string]string `json:"notes,omitempty"`
	// Services run from the version, in the order they are to be started.
	Services []string `json:"services,omitempty"`
	versions.Brought
	Payload Payload `json:"payload"`
	// Files lists the entries of the version, sorted by path. A directory is listed
	// only when it is empty.
	Files []File `json:"files"`
}

// File is one entry of the version: a file, a link (Link is set), or an empty
// directory (Path ends with a slash).
type File struct {
	Path string `json:"path"`
	// Mode is four octal digits; from schema 2 on, a blank and the file's capabilities
	// may follow ("0755 cap_net_raw=ep"). Files only; see ModeText.
	Mode string `json:"mode,omitempty"`
	Size int64  `json:"size,omitempty"`
	// SHA256 is the content's digest, 64 lower-case hex digits; absent from an
	// empty file.
	SHA256 string `json:"sha256,omitempty"`
	Link   string `json:"link,omitempty"`
}

// Payload lists the payload members, in the order they lie in the bundle.
type Payload struct {
	// Solid has all files of the list that are not empty, one after the other.
	Solid *Member `json:"solid,omitempty"`
	// Alone has one member for each distinct content, in the order of Contents.
	Alone []Member `json:"alone,omitempty"`
	// Patches lie one after the other in one tar member.
	Patches []Patch `json:"patches,omitempty"`
}

// Codecs of a member.
const (
	// Zstd is one zstd frame or more (RFC 8878).
	Zstd = "zstd"
	// ZstdPatch is one zstd frame with the base's content as raw dictionary, as
	// "zstd --patch-from" makes it.
	ZstdPatch = "zstd-patch"
)

// Member is a run of bytes in the payload.
type Member struct {
	Length int64 `json:"length"`
	// SHA256 is the digest of the member's bytes: 64 lower-case hex digits, or the
	// first 32 of them. It shows a broken transfer early. Each installed content is
	// also compared with its own whole digest in any case.
	SHA256 string `json:"sha256"`
	// Codec is Zstd when it is absent.
	Codec string `json:"codec,omitempty"`
}

// Patch makes one content from another.
type Patch struct {
	// File is the position in Files of a file with the content that the patch makes.
	File int `json:"file"`
	// Base and BaseSize are the SHA-256 and size of the content that the patch needs.
	Base     string `json:"base"`
	BaseSize int64  `json:"base_size"`
	Member
}

// Encode writes the release file: JSON with one file, member or patch a line,
// so that two releases can be compared with diff. The same release always
// gives the same bytes.
func (r *Release) Encode() ([]byte, error) {
	type top Release
	head := top(*r)
	head.Files, head.Payload = nil, Payload{}
	data, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	// The long lists go last, with a line for each entry. The JSON of the other fields
	// ends with the empty payload and the absent list.
	data = bytes.TrimSuffix(data, []byte(`,"payload":{},"files":null}`))
	out := bytes.NewBuffer(data)
	out.WriteString(",\n\"payload\":{")
	comma := ""
	if r.Payload.Solid != nil {
		solid, err := json.Marshal(r.Payload.Solid)
		if err != nil {
			return nil, err
		}
		out.WriteString(`"solid":`)
		out.Write(solid)
		comma = ","
	}
	for _, l := range []struct {
		name string
		n    int
		at   func(int) any
	}{
		{"alone", len(r.Payload.Alone), func(i int) any { return r.Payload.Alone[i] }},
		{"patches", len(r.Payload.Patches), func(i int) any { return r.Payload.Patches[i] }},
	} {
		if l.n == 0 {
			continue
		}
		out.WriteString(comma + "\n\"" + l.name + "\":")
		if err := lines(out, l.n, l.at); err != nil {
			return nil, err
		}
		comma = ","
	}
	out.WriteString("},\n\"files\":")
	if err := lines(out, len(r.Files), func(i int) any { return r.Files[i] }); err != nil {
		return nil, err
	}
	out.WriteString("}\n")
	return out.Bytes(), nil
}

func lines(out *bytes.Buffer, n int, at func(int) any) error {
	out.WriteByte('[')
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		line, err := json.Marshal(at(i))
		if err != nil {
			return err
		}
		out.WriteByte('\n')
		out.Write(line)
	}
	out.WriteByte(']')
	return nil
}
