package nativetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// Edit changes the sound bundle while it is made, stage by stage. A stage that is
// nil changes nothing.
type Edit struct {
	// Release changes parts before anything is encoded: see also Bundle.Sum.
	Release func(b *Bundle)
	// Text changes the release file's JSON.
	Text func(text string) string
	// Packed changes the compressed release file before it is signed.
	Packed func(packed []byte) []byte
	// Sign makes the signature in place of Key's.
	Sign func(k *Kit, packed []byte) []byte
	// Members changes the tar, whose head has been signed already.
	Members func(m *[]Member)
	// File changes the finished bytes.
	File func(file []byte) []byte
}

// Member is a member of the tar.
type Member struct{ Header, Data, Pad []byte }

// NewMember makes a member with the right header.
func NewMember(name string, data []byte) Member {
	return Member{native.Header(name, int64(len(data))), data, make([]byte, -len(data)&511)}
}

// Make makes the sound bundle with the edit applied.
func (k *Kit) Make(t testing.TB, e Edit) []byte {
	t.Helper()
	b := k.Parts()
	if e.Release != nil {
		e.Release(&b)
	}
	text, err := b.Release.Encode()
	require.NoError(t, err)
	if e.Text != nil {
		changed := e.Text(string(text))
		require.NotEqual(t, string(text), changed, "the edit changed nothing")
		text = []byte(changed)
	}
	packed := Compress(t, text)
	if e.Packed != nil {
		packed = e.Packed(packed)
	}
	signature := pack.Sign(k.Key, packed, "for tests")
	if e.Sign != nil {
		signature = e.Sign(k, packed)
	}
	members := slices.Concat([]Member{NewMember(native.ReleaseName, packed), NewMember(native.SignatureName, signature)}, b.members())
	if e.Members != nil {
		e.Members(&members)
	}
	var out bytes.Buffer
	for _, m := range members {
		out.Write(slices.Concat(m.Header, m.Data, m.Pad))
	}
	out.Write(make([]byte, 1024))
	if e.File != nil {
		return e.File(out.Bytes())
	}
	return out.Bytes()
}

// Parts is a copy of the sound bundle's.
func (k *Kit) Parts() Bundle {
	b := k.parts
	b.Release.Files = slices.Clone(b.Release.Files)
	b.Release.Hardware = slices.Clone(b.Release.Hardware)
	p := &b.Release.Payload
	solid := *p.Solid
	p.Solid, p.Alone, p.Patches = &solid, slices.Clone(p.Alone), slices.Clone(p.Patches)
	b.Alone, b.Patches = slices.Clone(b.Alone), slices.Clone(b.Patches)
	return b
}

// members returns the members of the payload.
func (b *Bundle) members() []Member {
	var list []Member
	if b.Solid != nil {
		list = append(list, NewMember(native.SolidName, b.Solid))
	}
	for i, data := range b.Alone {
		list = append(list, NewMember(native.AlonePrefix+b.name(i)+".zst", data))
	}
	if len(b.Patches) > 0 {
		list = append(list, NewMember(native.PatchesName, slices.Concat(b.Patches...)))
	}
	return list
}

func (b *Bundle) name(i int) string {
	if c := b.Release.Contents(); i < len(c) && len(c[i].SHA256) == 64 {
		return c[i].SHA256
	}
	return strings.Repeat("0", 64)
}

// Sum updates the release file to the members as they are now: the publisher signs the
// members that the edit made.
func (b *Bundle) Sum() {
	p := &b.Release.Payload
	set := func(m *native.Member, data []byte) { m.Length, m.SHA256 = int64(len(data)), Digest(data) }
	set(p.Solid, b.Solid)
	for i := range p.Alone {
		set(&p.Alone[i], b.Alone[i])
	}
	for i := range p.Patches {
		set(&p.Patches[i].Member, b.Patches[i])
	}
}

// File returns the file at path from the list of files.
func (b *Bundle) File(path string) *native.File {
	for i := range b.Release.Files {
		if b.Release.Files[i].Path == path {
			return &b.Release.Files[i]
		}
	}
	panic("the bundle has no " + path)
}

// Content returns the position in Alone of the content of the file at path.
func (b *Bundle) Content(path string) int {
	sha := b.File(path).SHA256
	return slices.IndexFunc(b.Release.Contents(), func(c native.Content) bool { return c.SHA256 == sha })
}

// Digest is the SHA-256 of data as the format writes it.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Compress makes one zstd frame, with these options on top of the usual ones.
func Compress(t testing.TB, data []byte, options ...zstd.EOption) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, append([]zstd.EOption{
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(native.MaxWindow),
	}, options...)...)
	require.NoError(t, err)
	defer enc.Close()
	return enc.EncodeAll(data, nil)
}
