# cmake -DSOURCE=<folder> -DDESTINATION=<folder> -DLIST=<file with one relative path a line> -P CopyFiles.cmake
file(STRINGS ${LIST} names)
foreach(name IN LISTS names)
  get_filename_component(folder ${DESTINATION}/${name} DIRECTORY)
  file(COPY ${SOURCE}/${name} DESTINATION ${folder})
endforeach()
