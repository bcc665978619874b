//! idx, CIFAR's binary format, numpy archives.

use super::*;

#[test]
fn idx_brings_its_labels_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..12).collect();
    let path = write(&folder.path().join("t-images-idx3-ubyte"), &idx(&[2, 2, 3], &pixels));
    let images = Images::read(&path).unwrap();
    assert_eq!((images.len(), images.shape(), images.labels()), (2, [1, 2, 3], None));
    assert_eq!(images.row(1), &pixels[6..]);
    let labels = write(&folder.path().join("t-labels-idx1-ubyte.gz"), &gzip(&idx(&[2], &[7, 3])));
    let packed = write(&folder.path().join("t-images-idx3-ubyte.gz"), &gzip(&idx(&[2, 2, 3], &pixels)));
    for path in [&path, &packed] {
        let images = Images::read(path).unwrap();
        assert_eq!(images.labels(), Some(&[7, 3][..]));
        assert_eq!(images.sources.len(), 2);
        assert_eq!(images.sources[1].path, labels.to_str().unwrap());
    }
}

#[test]
fn damaged_idx_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let whole = idx(&[2, 2, 3], &[0; 12]);
    let cases: [(&[u8], &[&str]); 7] = [
        (&whole[..whole.len() - 1], &["byte 16", "11 bytes", "2 x 2 x 3"]),
        (&[&whole[..], &[1]].concat(), &["13 bytes", "2 x 2 x 3"]),
        (&idx(&[12], &[0; 12]), &["byte 0", "[0, 0, 8, 1]", "3 dimensions"]),
        (&idx(&[2, 0, 3], &[]), &["byte 8", "size of 0"]),
        // Its product overflows.
        (&idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 12]), &["12 bytes"]),
        (&whole[..9], &["9 bytes", "header of 16"]),
        (b"", &["0 bytes", "header"]),
    ];
    for (i, (bytes, parts)) in cases.iter().enumerate() {
        let path = write(&folder.path().join(format!("case{i}-idx3-ubyte")), bytes);
        refused(Images::read(&path), &path, parts);
    }
    let path = write(&folder.path().join("cut-idx3-ubyte.gz"), &gzip(&whole)[..20]);
    refused(Images::read(&path), &path, &["damaged gzip"]);
    let path = write(&folder.path().join("plain-idx3-ubyte.gz"), &whole);
    refused(Images::read(&path), &path, &["no gzip file"]);
    let path = write(&folder.path().join("a-images-idx3-ubyte"), &whole);
    let labels = write(&folder.path().join("a-labels-idx1-ubyte"), &idx(&[3], &[0; 3]));
    refused(Images::read(&path), &labels, &["3 labels", "2, one for each image"]);
    let path = write(&folder.path().join("notes.txt"), b"hello");
    refused(Images::read(&path), &path, &["unknown kind", "idx", "npz", "PNG"]);
    let error = Images::read(&folder.path().join("absent-idx3-ubyte")).expect_err("no file");
    assert!(matches!(error, Error::Io { .. }) && error.exit_code() == 2);
}

#[test]
fn cifar_binary_is_told_apart_by_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let record =
        |label: &[u8], v: u8| [label.to_vec(), (0..3072u32).map(|i| (i / 1024) as u8 * 10 + v).collect()].concat();
    let ten = [record(&[9], 0), record(&[4], 1)].concat();
    for (name, bytes) in [("data_batch_1.bin", ten.clone()), ("data.bin.gz", gzip(&ten))] {
        let images = Images::read(&write(&folder.path().join(name), &bytes)).unwrap();
        assert_eq!((images.len(), images.shape()), (2, [3, 32, 32]));
        assert_eq!(images.labels(), Some(&[9, 4][..]));
        // Channel by channel.
        assert_eq!([0, 1023, 1024, 2048].map(|i| images.row(1)[i]), [1, 1, 11, 21]);
    }
    let hundred = Images::read(&write(&folder.path().join("train.bin"), &record(&[3, 77], 0))).unwrap();
    assert_eq!(hundred.labels(), Some(&[77][..]));
    let path = write(&folder.path().join("wrong.bin"), &[record(&[9], 0), record(&[10], 0)].concat());
    refused(Images::read(&path), &path, &["record 1, byte 3073", "label 10", "below 10"]);
    let path = write(&folder.path().join("cut.bin"), &ten[..5000]);
    refused(Images::read(&path), &path, &["5000 bytes", "3073"]);
    let path = write(&folder.path().join("empty.bin"), b"");
    refused(Images::read(&path), &path, &["empty"]);
}

#[test]
fn several_files_become_one_set_if_they_are_alike() {
    let folder = tempfile::tempdir().unwrap();
    let record = |label: u8| [vec![label], vec![0; 3072]].concat();
    let one = write(&folder.path().join("1.bin"), &record(1));
    let two = write(&folder.path().join("2.bin"), &record(2));
    let both = Images::read_all(&[one.clone(), two]).unwrap();
    assert_eq!((both.len(), both.labels(), both.sources.len()), (2, Some(&[1, 2][..]), 2));
    let grey = write(&folder.path().join("grey-idx3-ubyte"), &idx(&[1, 2, 2], &[0; 4]));
    refused(Images::read_all(&[one.clone(), grey.clone()]), &grey, &["[1, 2, 2]", "[3, 32, 32]", "1.bin"]);
    let bare = write(&folder.path().join("bare-idx3-ubyte"), &idx(&[1, 2, 2], &[0; 4]));
    write(&folder.path().join("l-labels-idx1-ubyte"), &idx(&[1], &[0]));
    let labelled = write(&folder.path().join("l-images-idx3-ubyte"), &idx(&[1, 2, 2], &[0; 4]));
    refused(Images::read_all(&[labelled, bare.clone()]), &bare, &["no labels"]);
    assert!(Images::read_all(&[]).is_err());
}

#[test]
fn numpy_archives_count_labels_from_0() {
    for name in ["stored.npz", "packed.npz"] {
        let images = Images::read(&golden(name)).unwrap();
        holds(&images, &expected("npz"));
        assert_eq!(images.labels(), Some(&[2, 0, 1][..]), "{name}");
    }
    for (name, parts) in [
        ("floats.npz", ["data.npy", "<f8", "unsigned bytes"]),
        ("few_labels.npz", ["labels.npy", "[2]", "[3]"]),
        ("no_data.npz", ["images.npy", "data.npy", "entry"]),
    ] {
        refused(Images::read(&golden(name)), &golden(name), &parts);
    }
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(golden("packed.npz")).unwrap();
    let path = write(&folder.path().join("cut.npz"), &bytes[..bytes.len() / 2]);
    refused(Images::read(&path), &path, &["zip"]);
}

#[test]
#[ignore = "needs ../shared/data/mnist"]
fn mnist_beside_the_project_is_read() {
    let images = beside("mnist/t10k-images-idx3-ubyte.gz");
    assert_eq!((images.len(), images.shape(), images.class_count()), (10_000, [1, 28, 28], 10));
    // The first digits of the test set, as everyone who has looked at it knows them.
    assert_eq!(images.labels().unwrap()[..5], [7, 2, 1, 0, 4]);
}

#[test]
#[ignore = "needs ../shared/data/omniglot"]
fn omniglot_beside_the_project_is_read() {
    assert!(beside("omniglot/images_background_small1_28x28-idx3-ubyte.gz").labels().is_some());
}

#[test]
#[ignore = "needs ../shared/data/cifar10_jpeg"]
fn cifar10_beside_the_project_is_read() {
    let images = beside("cifar10_jpeg/test_batch_2000.bin.gz");
    assert_eq!((images.len(), images.shape(), images.class_count()), (2_000, [3, 32, 32], 10));
}
