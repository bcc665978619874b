//! Folders of pictures.

use super::*;

fn copy(folder: &Path, from: &str, to: &str) {
    write(&folder.join(to), &std::fs::read(golden(from)).unwrap());
}

#[test]
fn class_folders_are_labels_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for to in ["dog/2.png", "dog/1.PNG", "cat/9.png", ".hidden/1.png"] {
        copy(folder.path(), "rgb.png", to);
    }
    write(&folder.path().join("cat/notes.txt"), b"");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let images = Images::read(folder.path()).unwrap();
    assert_eq!(images.classes, ["cat", "dog"]);
    assert_eq!(images.labels(), Some(&[0, 1, 1][..]));
    assert!(images.sources[1].path.ends_with("1.PNG") && images.sources[2].path.ends_with("2.png"));
    assert_eq!(images.row(0), &expected("rgb.png").pixels[..]);
}

#[test]
fn a_flat_folder_has_no_labels_and_one_shape() {
    let folder = tempfile::tempdir().unwrap();
    refused(Images::read(folder.path()), folder.path(), &["PNG or JPEG"]);
    copy(folder.path(), "rgb.png", "a.png");
    copy(folder.path(), "palette.png", "b.png");
    let images = Images::read(folder.path()).unwrap();
    assert_eq!((images.len(), images.labels(), images.class_count()), (2, None, 0));
    assert_eq!(images.known_labels().expect_err("no labels").exit_code(), 2);
    copy(folder.path(), "grey.png", "c.png");
    refused(Images::read(folder.path()), &folder.path().join("c.png"), &["1 channels of 7 x 5", "a.png"]);
    std::fs::remove_file(folder.path().join("c.png")).unwrap();
    copy(folder.path(), "rgb.png", "cat/a.png");
    refused(Images::read(folder.path()), folder.path(), &["beside the class folder `cat`"]);
}

#[test]
fn a_set_is_named_by_what_it_holds() {
    let one = Images::read(&golden("rgb.png")).unwrap();
    let twice = one.select(&[0, 0]).unwrap();
    assert_eq!(twice.select(&[1]).unwrap().fingerprint(), one.fingerprint());
    assert_ne!(twice.fingerprint(), one.fingerprint());
    let labelled = Images::new("x", one.shape(), one.pixels().to_vec(), Some(vec![0])).unwrap();
    assert_ne!(labelled.fingerprint(), one.fingerprint());
    assert!(one.select(&[1]).is_err() && one.select(&[]).is_err());
    assert!(Images::new("x", [1, 2, 2], vec![0; 5], None).is_err());
    assert!(Images::new("x", [1, 2, 2], vec![0; 8], Some(vec![0])).is_err());
    assert!(Images::new("x", [1, 0, 2], vec![], None).is_err());
}

#[test]
fn unit_values_are_rounded_and_numbers_that_are_none_refused() {
    let images = Images::from_unit("x", [1, 1, 5], &[-1.0, 0.0, 0.5, 1.0, 7.0]).unwrap();
    assert_eq!(images.pixels(), [0, 0, 128, 255, 255]);
    let mut out = Vec::new();
    images.fill_unit(&[0, 0], &mut out);
    assert_eq!((out.len(), out[2], out[8]), (10, 128.0 / 255.0, 1.0));
    assert_eq!(images.to_unit(), out[..5]);
    let error = Images::from_unit("x", [1, 1, 1], &[0.0, f32::NAN]).expect_err("not a number");
    assert!(error.to_string().contains("image 1"), "{error}");
}
